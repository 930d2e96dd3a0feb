//! How other services are spoken to over HTTP: one client, bounded answers, and one reading of what an answer means.

use super::wording::one_line;
use crate::system::clock;
use crate::system::https;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::time::Duration;

/// Why a target did not take what it was told, in words, and whether it may take it later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Refusal {
    /// What happened, in one sentence.
    pub words: String,
    /// Whether to try again.
    pub retry: Retry,
}

/// Whether a refused message is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// When it suits: a service that is down comes back, a wrong token is put right.
    Later,
    /// Not before so long.
    After(Duration),
    /// Never: this message will not be taken.
    Never,
}

impl Refusal {
    /// It may be taken later.
    pub fn later(words: impl Into<String>) -> Refusal {
        Refusal {
            words: words.into(),
            retry: Retry::Later,
        }
    }

    /// It will never be taken.
    pub fn never(words: impl Into<String>) -> Refusal {
        Refusal {
            words: words.into(),
            retry: Retry::Never,
        }
    }

    /// With what to do about it.
    pub fn hint(self, hint: &str) -> Refusal {
        Refusal {
            words: format!("{}; {hint}", self.words),
            ..self
        }
    }
}

impl From<crate::store::StoreError> for Refusal {
    fn from(error: crate::store::StoreError) -> Refusal {
        Refusal::later(error.to_string())
    }
}

/// A service that says nothing for so long is taken for hung.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// No answer that matters is longer; the rest is not read.
const LONGEST: usize = 1 << 20;
/// Where a service says that it is asked too often but not for how long, as GitHub's documentation advises.
const BREATHER: Duration = Duration::from_secs(60);

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null, where it is none.
    pub json: Value,
}

impl Answer {
    /// An answer of these parts.
    pub fn new(status: StatusCode, headers: HeaderMap, body: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(body).into_owned();
        Answer {
            status,
            headers,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    /// The answer, if the service took the request.
    pub fn taken(self) -> Result<Answer, Refusal> {
        match self.status.is_success() {
            true => Ok(self),
            false => Err(self.refusal()),
        }
    }

    /// A text of the answer's JSON, by its pointer.
    pub fn str(&self, pointer: &str) -> Option<&str> {
        self.json.pointer(pointer)?.as_str()
    }

    /// A number of the answer's JSON, by its pointer.
    pub fn number(&self, pointer: &str) -> Option<u64> {
        self.json.pointer(pointer)?.as_u64()
    }

    /// The number that the answer must have: without it, whatever answered is not the service.
    pub fn id(&self, pointer: &str) -> Result<u64, Refusal> {
        self.number(pointer).ok_or_else(|| self.garbage())
    }

    /// The refusal for an answer that is not what the service is documented to say.
    pub fn garbage(&self) -> Refusal {
        let start = one_line(self.text.trim(), 80);
        Refusal::later(format!(
            "it answered {} with something that is not understood: \"{start}\"",
            self.status.as_u16()
        ))
    }

    /// What the service said no with, in words.
    pub fn refusal(&self) -> Refusal {
        let words = self.words();
        if let Some(wait) = self.wait() {
            let secs = wait.as_secs().max(1);
            return Refusal {
                words: format!("{words}; it wants to be left alone for {secs} s"),
                retry: Retry::After(wait),
            };
        }
        match self.status.as_u16() {
            // What may be put right at the other end or in teal.toml, and what passes.
            300..=399 | 401 | 403 | 404 | 407 | 408 | 410 | 423 | 425 | 500..=599 => {
                Refusal::later(words)
            }
            _ => Refusal::never(words),
        }
    }

    fn words(&self) -> String {
        let said = [
            "/message",
            "/error",
            "/error_description",
            "/errors/0/message",
        ];
        let said = said.iter().find_map(|pointer| self.str(pointer));
        let said = match said {
            Some(said) => one_line(said, 200),
            None if self.text.trim_start().starts_with('<') => String::new(),
            None => one_line(self.text.trim(), 200),
        };
        let status = self.status.as_u16();
        let reason = self.status.canonical_reason().unwrap_or_default();
        match said.as_str() {
            "" => format!("it answered {status} {reason}"),
            said => format!("it answered {status} {reason}: {said}"),
        }
    }

    /// How long the service wants to be left alone, if it is asked too often.
    fn wait(&self) -> Option<Duration> {
        let header = |name: &str| self.headers.get(name)?.to_str().ok();
        let limited = self.status == StatusCode::TOO_MANY_REQUESTS;
        let spent = header("x-ratelimit-remaining") == Some("0");
        let asked = header("retry-after").and_then(|text| text.trim().parse::<f64>().ok());
        let asked = asked.or_else(|| self.json.pointer("/retry_after")?.as_f64());
        let could_be = self.status == StatusCode::FORBIDDEN
            || self.status == StatusCode::SERVICE_UNAVAILABLE
            || limited;
        if let (true, Some(seconds)) = (could_be, asked) {
            // Discord has milliseconds behind the point; nobody means more than a day.
            return Duration::try_from_secs_f64(seconds.clamp(0.0, 86_400.0)).ok();
        }
        let secondary = self.status == StatusCode::FORBIDDEN
            && self.text.to_ascii_lowercase().contains("rate limit");
        let too_often = limited || secondary || (spent && could_be);
        if !too_often {
            return None;
        }
        let reset = header("x-ratelimit-reset").and_then(|text| text.parse::<i64>().ok());
        let until = reset
            .filter(|_| spent)
            .map(|at| at - clock::now_ms() / 1000);
        match until.and_then(|secs| u64::try_from(secs).ok()) {
            Some(secs) => Some(Duration::from_secs(secs.clamp(1, 86_400))),
            None => Some(BREATHER),
        }
    }
}

/// The HTTP client of all targets that are not spoken to through a library of their own.
#[derive(Debug, Clone)]
pub struct Wire {
    client: reqwest::Client,
}

impl Wire {
    /// A new one.
    pub fn new() -> Result<Wire, Refusal> {
        let client = https::outward()
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .user_agent(concat!("teal/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Refusal::later(format!("no HTTP client could be made: {error}")))?;
        Ok(Wire { client })
    }

    /// A request to be filled in.
    pub fn request(&self, method: http::Method, url: &str) -> reqwest::RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request and reads the answer, whatever it is.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, Refusal> {
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                break;
            }
        }
        Ok(Answer::new(status, headers, &body))
    }
}

/// The address is left out of the words: for most chats it is the secret.
fn unreachable(error: reqwest::Error) -> Refusal {
    Refusal::later(trouble(&error.without_url()))
}

/// An error of a connection in one sentence: what it was about, and its innermost cause.
pub fn trouble(error: &(dyn std::error::Error + 'static)) -> String {
    let mut chain = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push(error.to_string());
        next = error.source();
    }
    let text = chain.join(": ").to_ascii_lowercase();
    let said = one_line(chain.last().map(String::as_str).unwrap_or_default(), 200);
    match text {
        text if text.contains("timed out")
            || text.contains("timeout")
            || text.contains("elapsed") =>
        {
            format!("it did not answer within {} s", PATIENCE.as_secs())
        }
        text if text.contains("dns") || text.contains("lookup") => {
            format!("its name is not found: {said}")
        }
        text if text.contains("certificate") => format!("its certificate is not trusted: {said}"),
        _ => format!("it cannot be reached: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, headers: &[(&'static str, &str)], body: &str) -> Refusal {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Answer::new(status, map, body.as_bytes()).refusal()
    }

    #[test]
    fn what_can_be_put_right_is_tried_again_and_what_is_wrong_in_itself_is_not() {
        for status in [401, 403, 404, 500, 502, 503] {
            assert_eq!(refused(status, &[], "").retry, Retry::Later, "{status}");
        }
        for status in [400, 409, 413, 422] {
            assert_eq!(refused(status, &[], "").retry, Retry::Never, "{status}");
        }
    }

    #[test]
    fn limits_are_obeyed_in_every_way_in_which_they_are_told() {
        let secs = |retry| match retry {
            Retry::After(time) => time.as_secs_f64(),
            other => panic!("{other:?}"),
        };
        assert_eq!(secs(refused(429, &[("retry-after", "7")], "").retry), 7.0);
        assert_eq!(
            secs(refused(429, &[], r#"{"retry_after": 0.25}"#).retry),
            0.25
        );
        assert_eq!(secs(refused(403, &[("retry-after", "30")], "").retry), 30.0);
        let reset = (clock::now_ms() / 1000 + 120).to_string();
        let spent = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", reset.as_str()),
        ];
        assert!(secs(refused(403, &spent, "").retry) > 100.0);
        let secondary = r#"{"message": "You have exceeded a secondary rate limit"}"#;
        assert_eq!(secs(refused(403, &[], secondary).retry), 60.0);
        assert_eq!(
            secs(refused(429, &[("retry-after", "1e99")], "").retry),
            86_400.0
        );
    }

    #[test]
    fn the_words_quote_the_service_on_one_line() {
        let told = refused(422, &[], "{\"message\": \"No commit\\nfound\\u001b[2J\"}");
        assert_eq!(
            told.words,
            "it answered 422 Unprocessable Entity: No commitfound[2J"
        );
        let told = refused(502, &[], "<html>Bad gateway</html>");
        assert_eq!(told.words, "it answered 502 Bad Gateway");
    }
}
