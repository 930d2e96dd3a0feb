//! What is added to a request's headers, and what belongs to one connection only and never passes through.

use http::header::{
    CONNECTION, COOKIE, Entry, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Headers that speak about one connection.
const HOP_BY_HOP: [HeaderName; 7] = [
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Who sent a request, in the words of the headers that say so.
#[derive(Debug, Clone)]
pub struct Peer {
    address: HeaderValue,
    node: String,
    scheme: &'static str,
    trusted: bool,
}

impl Peer {
    /// The peer at this address. What a `trusted` one says about whom it speaks for is kept.
    pub fn new(address: IpAddr, scheme: &'static str, trusted: bool) -> Peer {
        let address = address.to_canonical();
        let node = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("\"[{address}]\""),
        };
        Peer {
            address: value(address.to_string()),
            node,
            scheme,
            trusted,
        }
    }

    /// The client's address: the peer's or, if that is trusted and says so, the one that it speaks for.
    pub fn client(&self, headers: &HeaderMap) -> String {
        let said = headers.get(FORWARDED_FOR).filter(|_| self.trusted);
        let last = said.and_then(|said| said.to_str().ok()?.rsplit(',').next());
        let own = self.address.to_str().unwrap_or_default();
        last.map_or(own, str::trim).to_owned()
    }

    /// `http` or `https`, as the peer spoke it or, if it is trusted, as it says that the client did.
    pub fn scheme(&self, headers: &HeaderMap) -> &'static str {
        let said = headers.get(FORWARDED_PROTO).filter(|_| self.trusted);
        match said.map(HeaderValue::as_bytes) {
            Some(b"https") => "https",
            Some(b"http") => "http",
            _ => self.scheme,
        }
    }
}

/// Takes away what speaks about the connection that the message came by: the known names and those that `Connection`
/// names. What says how the message itself is framed stays for the HTTP library, which frames it anew.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_in_connection(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The headers that `Connection` names. Those that a request cannot do without are not given away by it.
fn named_in_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lines = headers.get_all(CONNECTION).iter();
    let words = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    words
        .filter_map(|word| HeaderName::try_from(word.trim()).ok())
        .filter(|name| *name != HOST && *name != TRAILER && *name != "content-length")
        .collect()
}

/// Whether one of the header's comma-separated words is this one, in any case.
pub fn has_word(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter();
    let mut words = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    words.any(|said| said.trim().eq_ignore_ascii_case(word))
}

/// Says to the service who the client is and how it came here.
pub fn set_forwarded(headers: &mut HeaderMap, peer: &Peer, host: &HeaderValue) {
    let element = forwarded_element(peer, host);
    if !peer.trusted {
        headers.insert(FORWARDED, element);
        headers.insert(FORWARDED_FOR, peer.address.clone());
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(peer.scheme));
        headers.insert(FORWARDED_HOST, host.clone());
        return;
    }
    append(headers, FORWARDED, element);
    append(headers, FORWARDED_FOR, peer.address.clone());
    let proto = HeaderValue::from_static(peer.scheme);
    headers.entry(FORWARDED_PROTO).or_insert(proto);
    headers.entry(FORWARDED_HOST).or_insert(host.clone());
}

fn forwarded_element(peer: &Peer, host: &HeaderValue) -> HeaderValue {
    // A quoted string; the characters of a host name need no escape, and one that would is left out.
    let host = match host.to_str() {
        Ok(host) if !host.contains(['"', '\\']) => host,
        _ => "",
    };
    value(format!(
        "for={};host=\"{host}\";proto={}",
        peer.node, peer.scheme
    ))
}

/// Adds to the end of a list, written as one line as most services read it.
fn append(headers: &mut HeaderMap, name: HeaderName, last: HeaderValue) {
    let mut list = Vec::new();
    for line in headers.get_all(&name) {
        list.extend_from_slice(line.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(last.as_bytes());
    headers.insert(name, HeaderValue::from_bytes(&list).unwrap_or(last));
}

/// The request's id: the one it came with if that is a plain word, else a new one.
pub fn set_request_id(headers: &mut HeaderMap) -> HeaderValue {
    let plain = |id: &HeaderValue| {
        let bytes = id.as_bytes();
        (1..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    match headers.entry(REQUEST_ID) {
        Entry::Occupied(entry) if plain(entry.get()) => entry.get().clone(),
        Entry::Occupied(mut entry) => {
            let id = new_request_id();
            entry.insert(id.clone());
            id
        }
        Entry::Vacant(entry) => entry.insert(new_request_id()).clone(),
    }
}

/// Sixteen hexadecimal digits that no other request of this process has, and hardly one of another.
fn new_request_id() -> HeaderValue {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let count = NEXT.fetch_add(1, Relaxed);
    // The odd multiplier maps different counts to different words; the process's start keeps processes apart.
    let word = (count ^ seed()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut digits = [0; 16];
    for (index, digit) in digits.iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(word >> (60 - 4 * index)) as usize & 15];
    }
    HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"))
}

fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::OnceLock;
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0))
}

/// HTTP/2 may send a cookie in pieces; HTTP/1.1 services expect one line.
pub fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let pieces: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(line) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(COOKIE, line);
    }
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn what_belongs_to_the_connection_stays_there() {
        let mut message = headers(&[
            ("connection", "close, X-Secret"),
            ("connection", "host"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("host", "a.ru"),
            ("x-kept", "1"),
        ]);
        remove_hop_by_hop(&mut message);
        let mut names: Vec<_> = message.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["host", "x-kept"]);
    }

    #[test]
    fn a_stranger_cannot_say_whom_it_speaks_for() {
        let peer = Peer::new("::ffff:10.0.0.9".parse().unwrap(), "http", false);
        let mut message = headers(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil"),
            ("forwarded", "for=1.1.1.1"),
        ]);
        assert_eq!(peer.scheme(&message), "http");
        set_forwarded(&mut message, &peer, &HeaderValue::from_static("a.ru"));
        assert_eq!(message["x-forwarded-for"], "10.0.0.9");
        assert_eq!(message["x-forwarded-proto"], "http");
        assert_eq!(message["x-forwarded-host"], "a.ru");
        assert_eq!(
            message["forwarded"],
            "for=10.0.0.9;host=\"a.ru\";proto=http"
        );
        assert_eq!(message.len(), 4);
    }

    #[test]
    fn a_trusted_peer_is_added_to_the_list() {
        let peer = Peer::new("::1".parse().unwrap(), "http", true);
        let mut message = headers(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "https"),
        ]);
        assert_eq!(peer.scheme(&message), "https");
        set_forwarded(&mut message, &peer, &HeaderValue::from_static("a.ru"));
        assert_eq!(message["x-forwarded-for"], "1.1.1.1, ::1");
        assert_eq!(message["x-forwarded-proto"], "https");
        assert_eq!(
            message["forwarded"],
            "for=\"[::1]\";host=\"a.ru\";proto=http"
        );
    }

    #[test]
    fn a_request_id_is_kept_if_it_is_plain_and_never_given_twice() {
        let mut message = headers(&[("x-request-id", "abc-1")]);
        assert_eq!(set_request_id(&mut message), "abc-1");
        let mut spaced = headers(&[("x-request-id", "a b")]);
        let first = set_request_id(&mut spaced);
        assert_eq!(spaced["x-request-id"], first);
        assert_eq!(first.len(), 16);
        assert_ne!(set_request_id(&mut HeaderMap::new()), first);
    }

    #[test]
    fn pieces_of_a_cookie_become_one_line() {
        let mut message = headers(&[("cookie", "a=1"), ("cookie", "b=2")]);
        join_cookies(&mut message);
        assert_eq!(message["cookie"], "a=1; b=2");
        assert_eq!(message.len(), 1);
    }
}
