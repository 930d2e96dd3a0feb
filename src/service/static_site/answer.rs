use super::body::{Body, fixed, stream};
use super::kind;
use super::path::Path;
use super::range::{self, Wanted};
use super::root::{Found, Root};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use std::fs::{File, Metadata};
use std::io::{Seek, SeekFrom};
use std::time::UNIX_EPOCH;

/// Answers one request.
pub(super) async fn answer<B>(root: &Root, request: &Request<B>) -> Response<Body> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(header::ALLOW, allowed);
        return refused;
    }
    let Some(path) = Path::parse(request.uri().path()) else {
        return missing(root, request);
    };
    let found = match root.find(&path.file) {
        Found::Folder if !path.is_folder => return moved(&path, request.uri().query()),
        Found::Folder => root.find(&path.file.join("index.html")),
        // A file's name with a slash behind it names nothing.
        Found::File(..) if path.is_folder => Found::Nothing,
        found => found,
    };
    match found {
        Found::File(file, meta) => {
            let name = if path.is_folder {
                "index.html"
            } else {
                &path.last
            };
            send(file, &meta, name, StatusCode::OK, request)
        }
        Found::Folder | Found::Nothing => fallback(root, &path, request),
    }
}

/// A folder's address ends with a slash. It is written anew from its names, so that it cannot lead to another host.
fn moved(path: &Path, query: Option<&str>) -> Response<Body> {
    use std::fmt::Write;
    let mut target = String::new();
    for part in &path.file {
        target.push('/');
        for byte in part.as_encoded_bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
                target.push(char::from(*byte));
            } else {
                let _ = write!(target, "%{byte:02X}");
            }
        }
    }
    target.push('/');
    if let Some(query) = query {
        target.push('?');
        target.push_str(query);
    }
    let mut answer = text(StatusCode::MOVED_PERMANENTLY, "");
    if let Ok(target) = HeaderValue::try_from(target) {
        answer.headers_mut().insert(header::LOCATION, target);
    }
    answer
}

/// What a page of a single-page app gets, if this is one; a missing picture or script is missing.
fn fallback<B>(root: &Root, path: &Path, request: &Request<B>) -> Response<Body> {
    let accepts = request.headers().get(header::ACCEPT);
    let wants_page = accepts
        .is_some_and(|accepts| String::from_utf8_lossy(accepts.as_bytes()).contains("text/html"));
    let is_page = wants_page || !path.last.contains('.');
    for name in root.fallbacks().iter().filter(|_| is_page) {
        if let Found::File(file, meta) = root.find(std::path::Path::new(name)) {
            return send(file, &meta, name, StatusCode::OK, request);
        }
    }
    missing(root, request)
}

fn missing<B>(root: &Root, request: &Request<B>) -> Response<Body> {
    match root.find(std::path::Path::new("404.html")) {
        Found::File(file, meta) => send(file, &meta, "404.html", StatusCode::NOT_FOUND, request),
        _ => text(StatusCode::NOT_FOUND, "Not found\n"),
    }
}

fn send<B>(
    mut file: File,
    meta: &Metadata,
    name: &str,
    status: StatusCode,
    request: &Request<B>,
) -> Response<Body> {
    let length = meta.len();
    let mut headers = HeaderMap::new();
    describe(&mut headers, meta, name);
    let found = status == StatusCode::OK;
    if found && range::is_fresh(request.headers(), &headers) {
        headers.remove(header::CONTENT_TYPE);
        return whole(StatusCode::NOT_MODIFIED, headers, fixed(""));
    }
    let ranged = found && *request.method() == Method::GET;
    let wanted = if ranged {
        range::wanted(request.headers(), &headers, length)
    } else {
        Wanted::All
    };
    let (status, start, count) = match wanted {
        Wanted::All => (status, 0, length),
        Wanted::Part { start, count } => {
            let end = start + count - 1;
            set(
                &mut headers,
                header::CONTENT_RANGE,
                &format!("bytes {start}-{end}/{length}"),
            );
            (StatusCode::PARTIAL_CONTENT, start, count)
        }
        Wanted::Outside => {
            let mut refused = text(StatusCode::RANGE_NOT_SATISFIABLE, "");
            let size = format!("bytes */{length}");
            set(refused.headers_mut(), header::CONTENT_RANGE, &size);
            return refused;
        }
    };
    if start > 0 && file.seek(SeekFrom::Start(start)).is_err() {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "Cannot read the file\n");
    }
    set(&mut headers, header::CONTENT_LENGTH, &count.to_string());
    let body = if *request.method() == Method::HEAD {
        fixed("")
    } else {
        stream(file, count)
    };
    whole(status, headers, body)
}

/// Everything that is said of a file. Browsers ask again each time, and mostly hear that nothing has changed: a page of one
/// release never meets a script of another out of a cache.
fn describe(headers: &mut HeaderMap, meta: &Metadata, name: &str) {
    let kind = HeaderValue::from_static(kind::of(name));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let changed = meta.modified().ok();
    let since = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    if let Some(since) = since {
        let tag = format!("\"{:x}-{:x}\"", since.as_nanos(), meta.len());
        set(headers, header::ETAG, &tag);
        if let Some(date) = range::date(since.as_secs()) {
            set(headers, header::LAST_MODIFIED, &date);
        }
    }
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn whole(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut headers = HeaderMap::new();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    whole(status, headers, fixed(text))
}
