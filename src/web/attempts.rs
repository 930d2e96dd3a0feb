//! How often somebody may guess a link or a token: so seldom that guessing is hopeless even for secrets that are far
//! shorter than Teal's.

use super::Refusal;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many wrong ones are borne within [`WINDOW`].
const MOST: usize = 10;
/// How long a wrong one counts.
const WINDOW: Duration = Duration::from_secs(300);
/// No more addresses are remembered.
const MOST_ADDRESSES: usize = 10_000;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct From(IpAddr);

impl<S: Sync> FromRequestParts<S> for From {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
        // A proxy on this machine is believed when it says for whom it asks: its last word is its own.
        let forwarded = parts.headers.get("x-forwarded-for");
        let told = forwarded
            .and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        Ok(From(match told {
            Some(address) if peer.is_loopback() => address,
            _ => peer,
        }))
    }
}

/// The wrong ones of late; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts(Arc<Mutex<HashMap<From, Vec<Instant>>>>);

impl Attempts {
    /// Refuses somebody who was wrong too often.
    pub fn check(&self, from: &From) -> Result<(), Refusal> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(wrong) = all.get_mut(from) else {
            return Ok(());
        };
        wrong.retain(|at| at.elapsed() < WINDOW);
        match wrong.len() {
            0..MOST => Ok(()),
            _ => Err(Refusal::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many wrong links or tokens came from your address",
            )
            .next("wait five minutes, then use the right one")),
        }
    }

    /// Remembers a wrong one.
    pub fn failed(&self, from: &From) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_ADDRESSES {
            all.retain(|_, wrong| wrong.iter().any(|at| at.elapsed() < WINDOW));
        }
        if all.len() < MOST_ADDRESSES || all.contains_key(from) {
            all.entry(*from).or_default().push(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_ends_soon_and_for_its_address_alone() {
        let attempts = Attempts::default();
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(|ip| From(IpAddr::from(ip)));
        for _ in 0..MOST {
            assert!(attempts.check(&one).is_ok());
            attempts.failed(&one);
        }
        assert_eq!(attempts.check(&one).unwrap_err().status, 429);
        assert!(attempts.check(&other).is_ok());
    }
}
