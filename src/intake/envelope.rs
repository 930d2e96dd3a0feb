//! What is around a payload: its headers, its encoding, and what vouches for it.

use super::Refusal;
use super::shown::shown;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header};
use sha2::Sha256;
use std::borrow::Cow;

/// A request's body as the content type says that it is to be read.
pub(super) enum Envelope<'a> {
    /// The body is the payload.
    Json(&'a [u8]),
    /// The payload is the field `payload` of a form; the body as sent is what some forges sign.
    Form {
        /// The body as sent.
        raw: &'a [u8],
        /// The decoded payload.
        payload: Cow<'a, str>,
    },
}

impl<'a> Envelope<'a> {
    pub(super) fn open(headers: &HeaderMap, body: &'a [u8]) -> Result<Envelope<'a>, Refusal> {
        let given = headers
            .get(header::CONTENT_TYPE)
            .map(|value| value.as_bytes())
            .unwrap_or_default();
        let given = String::from_utf8_lossy(given);
        let kind = given.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/json") {
            return Ok(Envelope::Json(body));
        }
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let said = if kind.is_empty() { "(none)" } else { kind };
            return Err(Refusal::ContentType(shown(said, 60)));
        }
        let mut fields = form_urlencoded::parse(body)
            .filter(|(name, _)| name == "payload")
            .map(|(_, payload)| payload);
        match (fields.next(), fields.count()) {
            (Some(payload), 0) => Ok(Envelope::Form { raw: body, payload }),
            (None, _) => Err(Refusal::Form(0)),
            (Some(_), more) => Err(Refusal::Form(more + 1)),
        }
    }

    /// The bytes as they were sent.
    pub(super) fn raw(&self) -> &[u8] {
        match self {
            Envelope::Json(raw) | Envelope::Form { raw, .. } => raw,
        }
    }

    /// The payload, which should be JSON.
    pub(super) fn payload(&self) -> &[u8] {
        match self {
            Envelope::Json(raw) => raw,
            Envelope::Form { payload, .. } => payload.as_bytes(),
        }
    }
}

/// The one value of a header that vouches for the body; missing, empty and doubled ones are refused.
pub(super) fn vouching<'h>(
    headers: &'h HeaderMap,
    header: &'static str,
) -> Result<&'h [u8], Refusal> {
    let mut values = headers.get_all(header).iter();
    match (values.next(), values.next()) {
        (Some(_), Some(_)) => Err(Refusal::Doubled { header }),
        (Some(value), None) if !value.is_empty() => Ok(value.as_bytes()),
        _ => Err(Refusal::Unsigned { header }),
    }
}

/// Whether `hex` is the HMAC-SHA256 of `body` under `secret`, compared in constant time.
pub(super) fn is_signed(secret: &str, body: &[u8], hex: &[u8]) -> bool {
    let Ok(signature) = hex::decode(hex) else {
        return false;
    };
    mac(secret, body).is_some_and(|mac| mac.verify_slice(&signature).is_ok())
}

/// Whether two secrets are the same. Their MACs are compared, so that neither the place of the first difference nor the
/// length shows in the time it takes.
pub(super) fn is_same_secret(secret: &str, shown: &[u8]) -> bool {
    let (Some(ours), Some(theirs)) = (mac(secret, secret.as_bytes()), mac(secret, shown)) else {
        return false;
    };
    ours.verify(&theirs.finalize().into_bytes()).is_ok()
}

fn mac(secret: &str, body: &[u8]) -> Option<Hmac<Sha256>> {
    // An empty key would make a MAC that anybody can make.
    if secret.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(body);
    Some(mac)
}

/// A header's text, where it has one that is short and plain.
pub(super) fn plain<'h>(headers: &'h HeaderMap, header: &str) -> Option<&'h str> {
    let text = headers.get(header)?.to_str().ok()?.trim();
    (1..=128).contains(&text.len()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vector_holds() {
        let hex = b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let secret = "It's a Secret to Everybody";
        assert!(is_signed(secret, b"Hello, World!", hex));
        assert!(!is_signed(secret, b"Hello, World?", hex));
        assert!(!is_signed(secret, b"Hello, World!", &hex[..62]));
        assert!(!is_signed(secret, b"Hello, World!", &hex[..63]));
        assert!(!is_signed(secret, b"Hello, World!", &hex.repeat(2)));
        assert!(!is_signed(secret, b"Hello, World!", b""));
    }

    #[test]
    fn an_empty_secret_vouches_for_nothing() {
        let empty_key = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert!(!is_signed("", b"", empty_key.as_bytes()));
        assert!(!is_same_secret("", b""));
        assert!(is_same_secret("a", b"a") && !is_same_secret("a", b"aa"));
    }
}
