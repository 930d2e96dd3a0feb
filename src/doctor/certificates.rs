//! The certificates that the proxy shows: until when they are good, and whether every domain has one.

use crate::config::{Proxy, Server, Tls};
use crate::proxy::certificate::{self, Facts};
use crate::system::clock;
use crate::web::types::Finding;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const AREA: &str = "certificates";
/// Whoever renews certificates does it before this.
const SOON: i64 = 14;
const DAY_MS: i64 = 86_400_000;

/// A server that has not shown a certificate by then shows none to visitors either.
const PATIENCE: Duration = Duration::from_secs(5);

/// Each certificate of the proxy's, and each domain; where somebody else speaks TLS, what is shown to visitors.
pub(super) async fn look(server: &Server) -> Vec<Finding> {
    if let Proxy::Embedded(embedded) = &server.proxy
        && let Some(tls) = &embedded.tls
    {
        return shown(server, tls);
    }
    let mut looks = JoinSet::new();
    for domain in domains(server).filter(|name| !name.contains('*')) {
        looks.spawn(by_somebody_else(domain.clone()));
    }
    let mut found: Vec<Finding> = looks.join_all().await.into_iter().flatten().collect();
    found.sort_by(|a, b| a.what.cmp(&b.what));
    found
}

fn domains(server: &Server) -> impl Iterator<Item = &String> {
    server.environments().flat_map(|env| {
        let redirects = env.redirects.iter().map(|redirect| &redirect.from);
        env.domains.iter().chain(redirects)
    })
}

/// The certificate that is shown at the domain's own port. Whether somebody speaks TLS there is not Teal's to say.
async fn by_somebody_else(domain: String) -> Option<Finding> {
    let look = async {
        let stream = TcpStream::connect((domain.as_str(), 443)).await.ok()?;
        Some(certificate::shown(stream, &domain).await)
    };
    let facts = match tokio::time::timeout(PATIENCE, look).await {
        Ok(Some(facts)) => facts,
        Ok(None) | Err(_) => return None,
    };
    Some(match facts {
        Ok(facts) if !facts.fits(&domain) => Finding::problem(
            AREA,
            format!(
                "what is shown at {domain} is for {}",
                facts.names.join(", ")
            ),
            format!("get one for {domain} (certbot -d {domain}), where TLS is spoken"),
        ),
        Ok(facts) => lasting(&domain, &facts, clock::now_ms()),
        Err(error) => Finding::problem(
            AREA,
            format!("no TLS at {domain}:443: {error}"),
            "look at the log of what listens there",
        ),
    })
}

fn shown(server: &Server, tls: &Tls) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut all = Vec::new();
    for pair in &tls.certificates {
        match certificate::read(&pair.cert, &pair.key) {
            Ok(facts) => {
                found.push(lasting(
                    &pair.cert.display().to_string(),
                    &facts,
                    clock::now_ms(),
                ));
                all.push(facts);
            }
            Err(error) => found.push(Finding::problem(
                AREA,
                error.to_string(),
                format!(
                    "put it right, or take it out of `[proxy] tls` in {}",
                    server.file.display()
                ),
            )),
        }
    }
    for domain in domains(server) {
        if !all.iter().any(|facts| facts.fits(domain)) {
            found.push(Finding::problem(
                AREA,
                format!("no certificate is for {domain}"),
                format!("get one (certbot certonly -d {domain}), and name it in `[proxy] tls`"),
            ));
        }
    }
    found
}

fn lasting(shown: &str, facts: &Facts, now_ms: i64) -> Finding {
    let names = facts.names.join(", ");
    let until = clock::local(facts.not_after_ms);
    let days = (facts.not_after_ms - now_ms).div_euclid(DAY_MS);
    let fix = "renew it: certbot renew";
    match days {
        days if days < 0 => {
            Finding::problem(AREA, format!("{shown} ({names}) ended on {until}"), fix)
        }
        days if days < SOON => Finding::warning(
            AREA,
            format!("{shown} ({names}) ends in {days} days, on {until}"),
            fix,
        ),
        days => Finding::good(AREA, format!("{shown} ({names}): {days} more days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::types::Health;

    #[test]
    fn a_certificate_lasts_ends_soon_or_has_ended() {
        let at = |days: i64| {
            let facts = Facts {
                names: vec!["shop.test".to_owned()],
                not_after_ms: days * DAY_MS,
            };
            lasting("fullchain.pem", &facts, 0).health
        };
        assert_eq!(at(60), Health::Good);
        assert_eq!(at(14), Health::Good);
        assert_eq!(at(13), Health::Warning);
        assert_eq!(at(-1), Health::Problem);
    }
}
