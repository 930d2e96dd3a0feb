use crate::config::Health;
use crate::service::supervisor::readable;
use crate::system::https;
use reqwest::header::{HOST, HeaderMap, LOCATION, USER_AGENT};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// How long one probe may take, to the end of the body.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is read of a body.
const BODY: usize = 64 * 1024;
/// What is shown of a body.
const SHOWN: usize = 300;

/// How readiness is asked for.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The port of `127.0.0.1`.
    pub port: u16,
    /// The `Host` that is sent: the environment's domain.
    pub host: Option<String>,
    /// The path, and what is expected of the answer.
    pub health: Health,
}

/// What one probe met.
#[derive(Debug, Clone, PartialEq)]
pub enum Attempt {
    /// No connection: nobody listens yet, or not here.
    Refused(String),
    /// A connection, and no whole answer.
    Silent(String),
    /// An answer.
    Answered {
        /// The status code.
        status: u16,
        /// Where a redirect points.
        location: Option<String>,
        /// The beginning of the body.
        body: String,
        /// Why it does not count as ready; nothing if it does.
        lacks: Option<String>,
    },
}

impl Attempt {
    /// Whether the service is ready.
    pub fn is_ready(&self) -> bool {
        matches!(self, Attempt::Answered { lacks: None, .. })
    }

    pub(super) fn is_redirect(&self) -> bool {
        matches!(
            self,
            Attempt::Answered {
                status: 300..400,
                lacks: Some(_),
                ..
            }
        )
    }
}

impl std::fmt::Display for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Attempt::Refused(why) | Attempt::Silent(why) => f.write_str(why),
            Attempt::Answered {
                status,
                lacks: None,
                ..
            } => write!(f, "answered {status}"),
            Attempt::Answered {
                lacks: Some(lacks),
                body,
                ..
            } if body.is_empty() => f.write_str(lacks),
            Attempt::Answered {
                lacks: Some(lacks),
                body,
                ..
            } => write!(f, "{lacks}: {body}"),
        }
    }
}

/// Asks once.
pub async fn probe_once(probe: &Probe) -> Attempt {
    let Some(client) = CLIENT.as_ref() else {
        return Attempt::Refused("cannot make an HTTP client".to_owned());
    };
    let path = probe.health.path.as_deref().unwrap_or("/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("http://127.0.0.1:{}{slash}{path}", probe.port);
    let asked = async {
        let mut request = client.get(&url).header(USER_AGENT, "teal-health");
        if let Some(host) = &probe.host {
            request = request.header(HOST, host);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| unanswered(&error, path))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = read(answer).await.map_err(|error| {
            Attempt::Silent(format!(
                "answered {status} to GET {path} and broke off: {error}"
            ))
        })?;
        Ok(judge(&probe.health, status, &headers, &body))
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(attempt) | Err(attempt)) => attempt,
        Err(_) => Attempt::Silent(format!(
            "took the connection and did not finish its answer to GET {path} within {} s",
            PATIENCE.as_secs()
        )),
    }
}

/// No proxies, no redirects, and no connection kept: each probe is a first visit.
static CLIENT: LazyLock<Option<reqwest::Client>> =
    LazyLock::new(|| https::loopback().pool_max_idle_per_host(0).build().ok());

fn unanswered(error: &reqwest::Error, path: &str) -> Attempt {
    let mut reason: &dyn std::error::Error = error;
    while let Some(deeper) = reason.source() {
        reason = deeper;
    }
    if error.is_connect() {
        Attempt::Refused(format!("does not accept connections: {reason}"))
    } else {
        Attempt::Silent(format!("did not answer GET {path}: {reason}"))
    }
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while body.len() < BODY {
        match answer.chunk().await? {
            None => break,
            Some(piece) => body.extend_from_slice(&piece[..piece.len().min(BODY - body.len())]),
        }
    }
    Ok(body)
}

fn judge(health: &Health, status: u16, headers: &HeaderMap, body: &[u8]) -> Attempt {
    let location = headers
        .get(LOCATION)
        .map(|value| readable(value.as_bytes()));
    let lacks = match (&health.path, status) {
        (Some(_), 200..300) | (None, 0..500) => unexpected(&health.expect, body),
        (Some(_), 300..400) => {
            let target = location.as_deref().unwrap_or("nowhere");
            Some(format!(
                "answered {status} to {target}; a redirect is not healthy"
            ))
        }
        _ => Some(format!("answered {status}")),
    };
    Attempt::Answered {
        status,
        location,
        body: excerpt(body),
        lacks,
    }
}

/// The first field that is not as it should be.
fn unexpected(expect: &BTreeMap<String, Value>, body: &[u8]) -> Option<String> {
    if expect.is_empty() {
        return None;
    }
    let answer: Value = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(error) => return Some(format!("answered with something else than JSON ({error})")),
    };
    expect.iter().find_map(|(field, wanted)| {
        // A name with dots is looked up as it is first, then as a path.
        let found = answer
            .get(field)
            .or_else(|| field.split('.').try_fold(&answer, |at, name| at.get(name)));
        match found {
            Some(value) if value == wanted => None,
            Some(value) => Some(format!(
                "answered with `{field}` = {value} instead of {wanted}"
            )),
            None => Some(format!("answered without the field `{field}`")),
        }
    })
}

/// The beginning of a body on one line.
fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(SHOWN).collect();
    readable(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(path: Option<&str>, expect: &[(&str, Value)]) -> Health {
        Health {
            path: path.map(str::to_owned),
            expect: expect
                .iter()
                .map(|(field, value)| ((*field).to_owned(), value.clone()))
                .collect(),
            timeout: Duration::from_secs(1),
        }
    }

    fn said(health: &Health, status: u16, body: &str) -> String {
        judge(health, status, &HeaderMap::new(), body.as_bytes()).to_string()
    }

    #[test]
    fn with_a_path_only_2xx_is_ready_and_without_all_below_500() {
        let strict = health(Some("/health"), &[]);
        let loose = health(None, &[]);
        assert_eq!(said(&strict, 204, ""), "answered 204");
        assert!(!judge(&strict, 404, &HeaderMap::new(), b"").is_ready());
        assert!(judge(&loose, 404, &HeaderMap::new(), b"").is_ready());
        assert_eq!(
            said(&loose, 500, "no\n  database"),
            "answered 500: no database"
        );
    }

    #[test]
    fn a_redirect_is_named() {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, "/login".parse().unwrap());
        let attempt = judge(&health(Some("/"), &[]), 302, &headers, b"");
        assert!(attempt.is_redirect());
        assert_eq!(
            attempt.to_string(),
            "answered 302 to /login; a redirect is not healthy"
        );
    }

    #[test]
    fn fields_are_compared() {
        let health = health(
            Some("/"),
            &[("status", "ok".into()), ("db.up", true.into())],
        );
        assert_eq!(
            said(&health, 200, r#"{"status":"ok","db":{"up":true}}"#),
            "answered 200"
        );
        let wrong = said(&health, 200, r#"{"status":"down","db":{"up":true}}"#);
        assert!(wrong.starts_with(r#"answered with `status` = "down" instead of "ok""#));
        assert!(said(&health, 200, "{}").starts_with("answered without the field"));
        assert!(said(&health, 200, "hi").starts_with("answered with something else than JSON"));
    }
}
