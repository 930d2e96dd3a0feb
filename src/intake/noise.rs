//! Deliveries as noise: whatever comes, the answer is a meaning or a refusal.

use super::samples::*;
use super::webhook::read;
use crate::config::Forge;
use http::HeaderValue;

/// Xorshift: the same noise on every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// Changes, removes, doubles or inserts some bytes.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, b"\"{}[]\\0,-:"[self.below(10)]),
                3 => {
                    let end = at + self.below(bytes.len() - at);
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                _ => {
                    let end = at + self.below((bytes.len() - at).min(40));
                    bytes.drain(at..end);
                }
            }
        }
    }
}

#[test]
fn noise_never_panics_and_never_deploys_an_unsigned_body() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let bodies = [
        ("push", push("refs/heads/main", COMMIT)),
        ("Push Hook", gitlab_push("refs/tags/v1", COMMIT, None)),
        ("pull_request", pull_request("closed", true)),
    ];
    for round in 0..3000 {
        let forge = FORGES[round % 4];
        let (event, payload) = &bodies[noise.below(3)];
        let honest = payload.to_string().into_bytes();
        let mut body = honest.clone();
        noise.spoil(&mut body);
        // Signed noise: whatever it parses as, the answer is a meaning or a refusal with a one-line text.
        let result = read(&app(Some(forge)), &signed(forge, event, &body), &body);
        if let Err(refusal) = result {
            assert!(!refusal.to_string().contains('\n'), "{refusal}");
        }
        // Headers of the honest body, some of them spoilt, with the spoilt body.
        let mut headers = signed(forge, event, &honest);
        for name in headers.keys().cloned().collect::<Vec<_>>() {
            let mut value = headers[&name].as_bytes().to_vec();
            if noise.below(3) == 0 {
                noise.spoil(&mut value);
            }
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(name, value);
            }
        }
        let result = read(&app(Some(forge)), &headers, &body);
        if body != honest && forge != Forge::GitLab {
            assert!(result.is_err(), "{result:?}");
        }
    }
}
