use super::kind;
use super::range::{self, Wanted};
use super::root::{Found, Root};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::UNIX_EPOCH;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

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

/// A request's path, decoded, with nothing in it that means something else than a name.
struct Path {
    file: PathBuf,
    last: String,
    is_folder: bool,
}

impl Path {
    /// Nothing for paths that are never served: those that go up, that name hidden files, or that are no text.
    fn parse(path: &str) -> Option<Path> {
        let decoded = decode(path)?;
        let mut file = PathBuf::new();
        let mut last = String::new();
        for part in decoded.split('/').filter(|part| !part.is_empty()) {
            let public = file.as_os_str().is_empty() && part == ".well-known";
            if part.starts_with('.') && !public || part.contains('\0') {
                return None;
            }
            file.push(part);
            last = part.to_owned();
        }
        let is_folder = decoded.ends_with('/') || last.is_empty();
        Some(Path {
            file,
            last,
            is_folder,
        })
    }
}

fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
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
    if is_page && let Found::File(file, meta) = root.find(std::path::Path::new("200.html")) {
        return send(file, &meta, "200.html", StatusCode::OK, request);
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
        return whole(StatusCode::NOT_MODIFIED, headers, empty());
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
        empty()
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

fn stream(file: File, count: u64) -> Body {
    FileBody {
        reader: tokio::fs::File::from_std(file).take(count),
    }
    .boxed_unsync()
}

/// A part of a file, read as the client takes it.
struct FileBody {
    reader: tokio::io::Take<tokio::fs::File>,
}

impl hyper::body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        const PIECE: usize = 64 * 1024;
        if self.reader.limit() == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE];
        let mut buffer = ReadBuf::new(&mut piece);
        let read = Pin::new(&mut self.reader).poll_read(context, &mut buffer);
        let length = buffer.filled().len();
        Poll::Ready(Some(match std::task::ready!(read) {
            // The file was cut meanwhile: the client must not take the rest for the whole.
            Ok(()) if length == 0 => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(()) => {
                piece.truncate(length);
                Ok(Frame::data(Bytes::from(piece)))
            }
            Err(error) => Err(error),
        }))
    }
}

fn whole(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let mut headers = HeaderMap::new();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    whole(
        status,
        headers,
        body.map_err(|never| match never {}).boxed_unsync(),
    )
}

fn empty() -> Body {
    Full::default()
        .map_err(|never| match never {})
        .boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Site {
        dir: tempfile::TempDir,
        root: Root,
    }

    fn site() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        let shared = dir.path().join("shared");
        for folder in [
            "site/docs",
            "site/.git",
            "site/.well-known",
            "shared/uploads",
        ] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for (file, content) in [
            ("site/index.html", "<h1>home</h1>"),
            ("site/docs/index.html", "docs"),
            ("site/app.js", "0123456789"),
            ("site/with space.txt", "spaced"),
            ("site/.git/config", "secret"),
            ("site/.env", "secret"),
            ("site/.well-known/security.txt", "mail us"),
            ("shared/uploads/cat.png", "cat"),
            ("shared/.env", "secret"),
            ("shared/deploy.log", "secret"),
            ("outside.txt", "secret"),
        ] {
            fs::write(dir.path().join(file), content).unwrap();
        }
        symlink("../outside.txt", site.join("out.txt")).unwrap();
        symlink("..", site.join("up")).unwrap();
        symlink("/etc/passwd", site.join("passwd")).unwrap();
        symlink("app.js", site.join("same.js")).unwrap();
        symlink("../shared/uploads", site.join("uploads")).unwrap();
        symlink("../shared/deploy.log", site.join("deploy.log")).unwrap();
        symlink("../shared", site.join("everything")).unwrap();
        nix::unistd::mkfifo(&site.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let root = Root::open(&site, Some(&shared)).unwrap();
        Site { dir, root }
    }

    impl Site {
        async fn ask(&self, request: http::request::Builder) -> (u16, HeaderMap, String) {
            let answer = answer(&self.root, &request.body(()).unwrap()).await;
            let (parts, body) = answer.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            (parts.status.as_u16(), parts.headers, text)
        }

        async fn get(&self, path: &str) -> (u16, String) {
            let (status, _, body) = self.ask(Request::get(path)).await;
            (status, body)
        }
    }

    #[tokio::test]
    async fn files_and_indexes_are_served() {
        let site = site();
        assert_eq!(site.get("/").await, (200, "<h1>home</h1>".to_owned()));
        assert_eq!(site.get("/docs/").await, (200, "docs".to_owned()));
        assert_eq!(site.get("/with%20space.txt").await.1, "spaced");
        assert_eq!(site.get("/same.js").await.1, "0123456789");
        assert_eq!(site.get("/uploads/cat.png").await.1, "cat");
        assert_eq!(site.get("/.well-known/security.txt").await.1, "mail us");
        let (status, headers, body) = site.ask(Request::head("/app.js")).await;
        assert_eq!((status, body.as_str()), (200, ""));
        assert_eq!(headers[header::CONTENT_LENGTH], "10");
        assert_eq!(
            headers[header::CONTENT_TYPE],
            "text/javascript; charset=utf-8"
        );
    }

    #[tokio::test]
    async fn nothing_outside_and_nothing_hidden_is_served() {
        let site = site();
        for path in [
            "/.env",
            "/.git/config",
            "/%2eenv",
            "/docs/../.env",
            "/..%2foutside.txt",
            "/../outside.txt",
            "/%2e%2e/outside.txt",
            "/out.txt",
            "/up/outside.txt",
            "/passwd",
            "/everything/.env",
            "/everything/deploy.log",
            "/deploy.log",
            "/fifo",
            "/a%00b",
            "/%zz",
            "/%ff",
            "/app.js/",
            "/none",
        ] {
            let (status, body) = site.get(path).await;
            assert_eq!((status, body.as_str()), (404, "Not found\n"), "{path}");
        }
        let (status, ..) = site.ask(Request::post("/")).await;
        assert_eq!(status, 405);
    }

    #[tokio::test]
    async fn a_folder_without_its_slash_is_redirected_within_this_host() {
        let site = site();
        let (status, headers, _) = site.ask(Request::get("/docs?a=b")).await;
        assert_eq!(
            (status, &headers[header::LOCATION]),
            (301, &HeaderValue::from_static("/docs/?a=b"))
        );
        let odd: http::Uri = "http://x//docs".parse().unwrap();
        let (_, headers, _) = site.ask(Request::get(odd)).await;
        assert_eq!(headers[header::LOCATION], "/docs/");
    }

    #[tokio::test]
    async fn what_the_client_has_is_not_sent_again() {
        let site = site();
        let (_, first, _) = site.ask(Request::get("/app.js")).await;
        let (tag, date) = (&first[header::ETAG], &first[header::LAST_MODIFIED]);
        let again = Request::get("/app.js").header(header::IF_NONE_MATCH, tag);
        let (status, headers, body) = site.ask(again).await;
        assert_eq!((status, body.as_str()), (304, ""));
        assert_eq!(&headers[header::ETAG], tag);
        let again = Request::get("/app.js").header(header::IF_MODIFIED_SINCE, date);
        assert_eq!(site.ask(again).await.0, 304);
        let other = Request::get("/app.js").header(header::IF_NONE_MATCH, "\"other\"");
        assert_eq!(site.ask(other).await.0, 200);
    }

    #[tokio::test]
    async fn parts_are_served() {
        let site = site();
        let ask = |range| Request::get("/app.js").header(header::RANGE, range);
        let (status, headers, body) = site.ask(ask("bytes=2-4")).await;
        assert_eq!((status, body.as_str()), (206, "234"));
        assert_eq!(headers[header::CONTENT_RANGE], "bytes 2-4/10");
        assert_eq!(headers[header::CONTENT_LENGTH], "3");
        assert_eq!(site.ask(ask("bytes=-3")).await.2, "789");
        let (status, headers, _) = site.ask(ask("bytes=10-")).await;
        assert_eq!(
            (status, &headers[header::CONTENT_RANGE]),
            (416, &HeaderValue::from_static("bytes */10"))
        );
        let stale = ask("bytes=2-4").header(header::IF_RANGE, "\"other\"");
        assert_eq!(site.ask(stale).await.0, 200);
    }

    #[tokio::test]
    async fn pages_for_what_is_missing() {
        let site = site();
        let folder = site.dir.path().join("site");
        fs::write(folder.join("404.html"), "lost?").unwrap();
        assert_eq!(site.get("/none").await, (404, "lost?".to_owned()));
        fs::write(folder.join("200.html"), "app").unwrap();
        assert_eq!(site.get("/users/7").await, (200, "app".to_owned()));
        assert_eq!(site.get("/none.png").await, (404, "lost?".to_owned()));
        assert_eq!(site.get("/.env").await, (404, "lost?".to_owned()));
        let page = Request::get("/users/a.b").header(header::ACCEPT, "text/html,*/*");
        assert_eq!(site.ask(page).await.2, "app");
    }
}
