//! Whether a request means one thing only. What two servers could read in two ways is refused, not repaired.

use super::pages::{Page, passable};
use super::table::without_port;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Request, Uri, Version};

/// Checks the request's form and brings its target into the form that services expect: a path, and one `Host`. Returns
/// the host that it is for.
pub fn inspect<B>(request: &mut Request<B>) -> Result<HeaderValue, Page> {
    if !passable(request.method()) {
        return Err(Page::BadMethod);
    }
    check_length(request.headers())?;
    let host = host(request)?;
    request.headers_mut().insert(HOST, host.clone());
    if request.uri().authority().is_some() {
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path_only(path)?;
    }
    Ok(host)
}

fn path_only(path: Option<PathAndQuery>) -> Result<Uri, Page> {
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    Uri::from_parts(parts).map_err(|_| Page::BadRequest("Its target is no path."))
}

fn check_length(headers: &HeaderMap) -> Result<(), Page> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return match headers.get_all(CONTENT_LENGTH).iter().count() {
            0 | 1 => Ok(()),
            _ => Err(Page::BadRequest("It has several lengths.")),
        };
    };
    if headers.contains_key(CONTENT_LENGTH) {
        return Err(Page::BadRequest("It has a length and a transfer coding."));
    }
    let only = codings.next().is_none();
    match only && coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        true => Ok(()),
        false => Err(Page::BadCoding),
    }
}

/// The host that the request is for: what its target names (an absolute target, or HTTP/2's authority), else its one
/// `Host` header. A client of HTTP/1.0 need not name one.
fn host<B>(request: &Request<B>) -> Result<HeaderValue, Page> {
    let mut named = request.headers().get_all(HOST).iter();
    let header = named.next();
    if named.next().is_some() {
        return Err(Page::BadRequest("It has several Host headers."));
    }
    let host = match (request.uri().authority(), header) {
        (Some(target), header) => named_by_target(target, header)?,
        (None, Some(header)) => header.clone(),
        (None, None) if request.version() == Version::HTTP_10 => HeaderValue::from_static(""),
        (None, None) => return Err(Page::BadRequest("It has no Host header.")),
    };
    match host.as_bytes().iter().all(|byte| is_of_host(*byte)) {
        true => Ok(host),
        false => Err(Page::BadRequest("Its Host header is no host name.")),
    }
}

fn named_by_target(target: &Authority, header: Option<&HeaderValue>) -> Result<HeaderValue, Page> {
    let same = |header: &HeaderValue| {
        let header = header.to_str().unwrap_or_default();
        without_port(header).eq_ignore_ascii_case(without_port(target.as_str()))
    };
    if header.is_some_and(|header| !same(header)) {
        return Err(Page::BadRequest("Its target and its Host header differ."));
    }
    HeaderValue::try_from(target.as_str()).map_err(|_| Page::BadRequest("Its target is no host."))
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:[]%~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn a_request_for_one_host_gets_a_path_and_that_host() {
        for (target, headers, expected) in [
            ("/x?y", &[("host", "A.ru:80")][..], "A.ru:80"),
            ("http://a.ru/x?y", &[], "a.ru"),
            ("http://a.ru/x?y", &[("host", "A.RU")], "a.ru"),
            ("/x?y", &[("host", "[::1]:80")], "[::1]:80"),
        ] {
            let mut request = request(target, headers);
            assert_eq!(inspect(&mut request).unwrap(), expected);
            assert_eq!(request.uri(), "/x?y");
            assert_eq!(request.headers()["host"], expected);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (target, headers) in [
            ("/", &[][..]),
            ("/", &[("host", "a.ru"), ("host", "b.ru")]),
            ("/", &[("host", "a.ru/../b")]),
            ("/", &[("host", "user@a.ru")]),
            ("/", &[("host", "a.ru, b.ru")]),
            ("http://a.ru/", &[("host", "b.ru")]),
            (
                "/",
                &[
                    ("host", "a.ru"),
                    ("content-length", "1"),
                    ("transfer-encoding", "chunked"),
                ],
            ),
            (
                "/",
                &[
                    ("host", "a.ru"),
                    ("content-length", "1"),
                    ("content-length", "1"),
                ],
            ),
            (
                "/",
                &[("host", "a.ru"), ("transfer-encoding", "gzip, chunked")],
            ),
            (
                "/",
                &[
                    ("host", "a.ru"),
                    ("transfer-encoding", "chunked"),
                    ("transfer-encoding", "chunked"),
                ],
            ),
            ("/", &[("host", "a.ru"), ("transfer-encoding", "identity")]),
        ] {
            assert!(
                inspect(&mut request(target, headers)).is_err(),
                "{target} {headers:?}"
            );
        }
    }

    #[test]
    fn an_old_client_need_not_name_a_host() {
        let mut request = request("/", &[]);
        *request.version_mut() = Version::HTTP_10;
        assert_eq!(inspect(&mut request).unwrap(), "");
    }
}
