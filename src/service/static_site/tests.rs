use super::Root;
use super::answer::answer;
use http::Request;
use http::header::{self, HeaderMap, HeaderValue};
use http_body_util::BodyExt;
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

#[tokio::test]
async fn an_app_of_one_page_answers_for_all_its_addresses() {
    let Site { dir, root } = site();
    let site = Site {
        dir,
        root: root.single_page(true),
    };
    let home = (200, "<h1>home</h1>".to_owned());
    assert_eq!(site.get("/users/7").await, home);
    assert_eq!(site.get("/docs/").await, (200, "docs".to_owned()));
    assert_eq!(site.get("/none.png").await.0, 404);
}
