//! Readiness, and in words why a service is not ready.

use crate::supervisor::{World, alive};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;
use teal::config::Health;
use teal::service::{Cause, NotReady, Probe, Ready, Service, wait_ready};

const SERVER: &str = r#"
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mode = os.environ["MODE"]
        if mode == "hang":
            time.sleep(1000)
        self.send_response({"redirect": 302, "error": 500}.get(mode, 200))
        if mode == "redirect":
            self.send_header("Location", "/login")
        self.end_headers()
        self.wfile.write(("host " + self.headers["Host"] + "\n no database").encode())
        if mode == "drip":
            self.wfile.flush()
            time.sleep(1000)
    def log_message(self, *args):
        pass
port = 0 if os.environ["MODE"] == "elsewhere" else int(os.environ["PORT"])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"#;

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn serve(world: &World, mode: &str, port: u16) -> Service {
    std::fs::write(world.path("server.py"), SERVER).unwrap();
    let mut spec = world.spec("exec /usr/bin/python3 server.py");
    spec.env.push(("MODE".to_owned(), mode.to_owned()));
    spec.env.push(("PORT".to_owned(), port.to_string()));
    world.services.start(&spec).await.unwrap()
}

pub fn probe(port: u16, path: Option<&str>) -> Probe {
    Probe {
        port,
        host: Some("shop.example".to_owned()),
        health: Health {
            path: path.map(str::to_owned),
            expect: BTreeMap::new(),
            timeout: Duration::from_secs(60),
        },
    }
}

async fn outcome(mode: &str, path: Option<&str>, deadline: u64) -> Result<Ready, NotReady> {
    let world = World::new();
    let port = free_port();
    let service = serve(&world, mode, port).await;
    let outcome = wait_ready(&service, &probe(port, path), Duration::from_secs(deadline)).await;
    service.stop(Duration::from_secs(5)).await.unwrap();
    outcome
}

#[tokio::test]
async fn a_service_that_answers_is_ready() {
    let ready = outcome("ok", Some("/api/health"), 60).await.unwrap();
    assert!(ready.attempts >= 1);
}

#[tokio::test]
async fn an_error_is_told_with_its_body_and_the_host_that_was_asked_for() {
    let said = outcome("error", None, 4).await.unwrap_err().to_string();
    let expected = "the service answered 500: host shop.example no database (after";
    assert!(said.starts_with(expected), "{said}");
}

#[tokio::test]
async fn a_redirect_is_not_healthy() {
    let said = outcome("redirect", Some("/"), 4)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("answered 302 to /login; a redirect is not healthy"),
        "{said}"
    );
}

#[tokio::test]
async fn hanging_and_dripping_are_told_apart_from_not_listening() {
    let (hang, drip) = tokio::join!(outcome("hang", Some("/"), 8), outcome("drip", Some("/"), 8));
    for outcome in [hang, drip] {
        let said = outcome.unwrap_err().to_string();
        let expected = "did not finish its answer to GET / within 5 s";
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn a_service_that_listens_elsewhere_is_named() {
    let not = outcome("elsewhere", None, 4).await.unwrap_err();
    assert!(matches!(not.cause, Cause::Elsewhere { .. }), "{not}");
    assert!(not.to_string().contains(", not on $PORT "), "{not}");
}

#[tokio::test]
async fn a_service_that_ends_is_noticed_at_once() {
    let world = World::new();
    let service = world.start("echo no such table; exit 1").await;
    let not = wait_ready(
        &service,
        &probe(free_port(), None),
        Duration::from_secs(600),
    )
    .await
    .unwrap_err();
    assert!(
        not.to_string()
            .starts_with("the service exited with code 1"),
        "{not}"
    );
}

#[tokio::test]
async fn a_stranger_on_the_port_is_named_and_left_alone() {
    let strangers = World::new();
    let port = free_port();
    let stranger = serve(&strangers, "ok", port).await;
    wait_ready(&stranger, &probe(port, None), Duration::from_secs(60))
        .await
        .unwrap();
    let world = World::new();
    let service = world.start("exec sleep 1000").await;
    let not = wait_ready(&service, &probe(port, None), Duration::from_secs(60))
        .await
        .unwrap_err();
    let said = not.to_string();
    let named = format!(
        "process {} (`/usr/bin/python3 server.py`) answers there",
        stranger.pid()
    );
    assert!(said.contains(&named), "{said}");
    assert!(alive(stranger.pid()));
    service.stop(Duration::from_secs(5)).await.unwrap();
    stranger.stop(Duration::from_secs(5)).await.unwrap();
}
