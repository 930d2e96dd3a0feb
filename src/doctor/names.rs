//! Whether the domains are known to the world.

use crate::config::Server;
use crate::web::types::Finding;
use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;
use tokio::task::JoinSet;

const AREA: &str = "names";
/// A name that is not found by then is not found by visitors either.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each domain and each name that redirects, all at once.
pub(super) async fn look(server: &Server) -> Vec<Finding> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for env in server.environments() {
        names.extend(env.domains.iter().cloned());
        names.extend(env.redirects.iter().map(|redirect| redirect.from.clone()));
    }
    // What a `*` stands for is not known, and what ends in `localhost` is known to browsers and to nobody else.
    names.retain(|name| !name.contains('*') && !name.ends_with(".localhost"));
    let mut looks = JoinSet::new();
    for name in names {
        looks.spawn(async move {
            let found = tokio::time::timeout(PATIENCE, addresses(&name)).await;
            (name, found.unwrap_or_default())
        });
    }
    let mut found = looks.join_all().await;
    found.sort();
    found
        .into_iter()
        .map(|(name, all)| told(&name, &all))
        .collect()
}

async fn addresses(name: &str) -> Vec<IpAddr> {
    let found = tokio::net::lookup_host((name, 80)).await;
    let all: BTreeSet<IpAddr> = found
        .into_iter()
        .flatten()
        .map(|address| address.ip())
        .collect();
    all.into_iter().collect()
}

fn told(name: &str, addresses: &[IpAddr]) -> Finding {
    if addresses.is_empty() {
        return Finding::warning(
            AREA,
            format!("{name} is not found: visitors cannot come by it"),
            format!("add an A or AAAA record for {name} that points to this server"),
        );
    }
    let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let leads = format!("{name} leads to {}", all.join(", "));
    if addresses.iter().any(is_own) {
        return Finding::good(AREA, leads);
    }
    Finding::unknown(
        AREA,
        format!("{leads}, which is no address of this machine's own"),
        format!(
            "where no router, balancer or CDN stands before it, point the A and AAAA records of {name} to this server"
        ),
    )
}

/// Only an address of its own is one that a machine lets somebody take.
fn is_own(address: &IpAddr) -> bool {
    UdpSocket::bind((*address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::types::Health;

    #[tokio::test]
    async fn a_name_that_leads_nowhere_is_told_with_what_it_needs() {
        let found = told("localhost", &addresses("localhost").await);
        assert_eq!(found.health, Health::Good, "{found:?}");
        assert!(found.what.contains("leads to"), "{found:?}");
        let lost = told("shop.example.com", &[]);
        assert_eq!(lost.health, Health::Warning);
        let far = told("shop.example.com", &[IpAddr::from([192, 0, 2, 7])]);
        assert_eq!(far.health, Health::Unknown, "{far:?}");
        assert!(far.fix.is_some_and(|fix| fix.contains("point the A")));
    }
}
