//! What a stranger sends: refs that look like options or commands, deliveries that are not what they say, peers that are slow.
//! It is refused or carried as data, and others are served meanwhile.

use crate::harness::{App, Delivery, Forge, LONG, SECRET, Sandbox, Sender, Teal, get, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

const HOST: &str = "production.shop.test";

#[test]
fn refs_are_data() {
    let teal = Teal::plan()
        .environment("shop", "production", "branch = \"**\"")
        .start();
    let app = teal.client("shop");
    let trap = teal.sandbox.join("sprung").display().to_string();
    let long = format!("refs/heads/{}", "x/".repeat(1900) + "x");
    let names = [
        format!("refs/heads/$(touch${{IFS}}{trap})"),
        format!("refs/heads/;touch${{IFS}}{trap};"),
        format!("refs/heads/`touch${{IFS}}{trap}`"),
        format!("refs/heads/--upload-pack=touch${{IFS}}{trap}"),
        "refs/heads/-h".to_owned(),
        "refs/heads/%n%s$HOME".to_owned(),
        "refs/heads/\u{202e}niam".to_owned(),
        long,
    ];
    for name in &names {
        let pushed = app.git().push(["production", &format!("main:{name}")]);
        assert!(
            !pushed.stderr.contains('\u{202e}') || pushed.code == 0,
            "{}",
            pushed.stderr
        );
        assert!(!fs::exists(&trap).unwrap(), "{name}: {}", pushed.stderr);
    }
    for rev in [
        "--upload-pack=x",
        "..",
        "a..b",
        "refs/heads/../../x",
        "@{-1}",
        "main;id",
        "",
    ] {
        let asked = format!("--ref={rev}");
        let told = teal.cli(["deploy", "production", &asked]);
        assert!(
            [2, 4].contains(&told.code),
            "{rev}: {} {}{}",
            told.code,
            told.stdout,
            told.stderr
        );
    }
    assert!(!fs::exists(&trap).unwrap());
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    wait_until(LONG, "all is over", || {
        teal.history().iter().all(crate::kill_anywhere::is_over)
    });
    app.version("v3");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.serves(HOST), "v3");
}

/// A server that takes the webhooks of a GitHub, and one commit that was pushed there.
fn hooked() -> (Teal, Forge, App, String) {
    let sandbox = Sandbox::new();
    let (forge, app) = Forge::with_shop(&sandbox);
    app.git().run(["push", "--quiet", "origin", "main"]).ok();
    let keys = forge.shop_keys("github");
    let mut teal = Teal::plan()
        .top("reconcile = \"0s\"")
        .variable("SHOP_SECRET", SECRET)
        .app("shop", &keys)
        .environment("shop", "production", "")
        .init(sandbox);
    teal.serve();
    let commit = app.git().head();
    (teal, forge, app, commit)
}

/// The first line of the answer to these bytes, which are followed by nothing; empty when there is none.
fn raw(teal: &Teal, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(teal.listen()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    // It may be answered, and closed, before all of it is sent.
    let _ = stream.write_all(request);
    let mut answer = [0; 512];
    let read = stream.read(&mut answer).unwrap_or(0);
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn signatures_that_are_none() {
    let (teal, _forge, _app, commit) = hooked();
    let body = format!(
        r#"{{"ref":"refs/heads/main","after":"{commit}","deleted":false,"repository":{{"full_name":"blue/shop"}},"pusher":{{"name":"ada"}}}}"#
    );
    let post = |signature: &str| {
        let head = format!(
            "POST /hooks/shop HTTP/1.1\r\nHost: teal\r\nContent-Type: application/json\r\nX-GitHub-Event: push\r\n\
             X-GitHub-Delivery: 1\r\n{signature}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        raw(&teal, head.as_bytes())
    };
    let zeros = "0".repeat(64);
    for signature in [
        String::new(),
        "X-Hub-Signature-256: \r\n".to_owned(),
        "X-Hub-Signature-256: sha256=\r\n".to_owned(),
        format!("X-Hub-Signature-256: sha256={}\r\n", &zeros[..32]),
        format!("X-Hub-Signature-256: sha256={zeros}\r\n"),
        format!("X-Hub-Signature-256: sha256={zeros}\r\nX-Hub-Signature-256: sha256={zeros}\r\n"),
        format!("X-Hub-Signature: sha1={}\r\n", "0".repeat(40)),
        "X-Hub-Signature-256: sha256=\u{fffd}\r\n".to_owned(),
    ] {
        let answer = post(&signature);
        assert!(
            answer.contains(" 401 ") || answer.contains(" 400 "),
            "{signature:?}: {answer}"
        );
    }
    assert!(teal.states().is_empty());
}

#[test]
fn bodies_without_end_and_peers_without_haste() {
    let (teal, _forge, _app, commit) = hooked();
    // Peers that begin and never go on: in the head, in the body.
    let slow: Vec<TcpStream> = (0..40)
        .map(|n| {
            let mut stream = TcpStream::connect(teal.listen()).unwrap();
            let begun: &[u8] = match n % 2 {
                0 => b"POST /hooks/shop HTTP/1.1\r\nHost: te",
                _ => b"POST /hooks/shop HTTP/1.1\r\nHost: teal\r\nContent-Length: 1000\r\n\r\n{",
            };
            stream.write_all(begun).unwrap();
            stream
        })
        .collect();
    let head = "POST /hooks/shop HTTP/1.1\r\nHost: teal\r\nX-GitHub-Event: push\r\nContent-Type: application/json\r\n";
    let ten_gigabytes = format!("{head}Content-Length: 10000000000\r\n\r\n");
    assert!(raw(&teal, ten_gigabytes.as_bytes()).contains(" 413 "));
    let mut endless = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..40 {
        endless.extend_from_slice(b"100000\r\n");
        endless.resize(endless.len() + 0x10_0000, b' ');
        endless.extend_from_slice(b"\r\n");
    }
    let answer = raw(&teal, &endless);
    assert!(answer.contains(" 413 ") || answer.is_empty(), "{answer}");
    let bomb = format!("{head}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f..");
    let answer = raw(&teal, bomb.as_bytes());
    assert!(
        answer.contains(" 415 ") || answer.contains(" 400 "),
        "{answer}"
    );
    // Others are served meanwhile.
    let told = Delivery::push(Sender::GitHub, "blue/shop", "refs/heads/main", &commit)
        .send(teal.listen(), "shop");
    assert_eq!(told.status, 202, "{}", told.body);
    teal.wait_for_states(&["live"]);
    assert_eq!(get(teal.listen(), "teal", "/healthz").unwrap().status, 200);
    drop(slow);
}

/// Everybody comes from one address here, as behind a proxy.
#[test]
fn half_open_connections_keep_no_delivery_out() {
    let (teal, _forge, _app, commit) = hooked();
    let mut held = Vec::new();
    for round in 0..10 {
        for n in 0..50 {
            let mut stream = TcpStream::connect(teal.listen()).unwrap();
            let begun: &[u8] = match n % 5 {
                0 => b"POST /hooks/shop HTTP/1.1\r\nHost: teal\r\nContent-Length: 1000\r\n\r\n{",
                1 => b"",
                _ => b"POST /hooks/shop HTTP/1.1\r\nHost: te",
            };
            let _ = stream.write_all(begun);
            held.push(stream);
        }
        let delivery = Delivery::push(Sender::GitHub, "blue/shop", "refs/heads/main", &commit);
        let began = std::time::Instant::now();
        let told = delivery.send(teal.listen(), "shop");
        assert_eq!(told.status, 202, "{round}: {}", told.body);
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
        assert_eq!(get(teal.listen(), "teal", "/healthz").unwrap().status, 200);
    }
    teal.wait_for_states(&["live"]);
}

#[test]
fn only_the_configured_remote_is_spoken_to() {
    let (teal, _forge, _app, commit) = hooked();
    // The address that every delivery of these tests names as the clone's.
    let elsewhere = TcpListener::bind("127.0.0.1:9");
    let delivery = Delivery::push(Sender::GitHub, "blue/shop", "refs/heads/main", &commit);
    assert_eq!(delivery.send(teal.listen(), "shop").status, 202);
    teal.wait_for_states(&["live"]);
    let Ok(elsewhere) = elsewhere else {
        eprintln!("skipped in part: port 9 cannot be listened on here");
        return;
    };
    elsewhere.set_nonblocking(true).unwrap();
    assert!(
        elsewhere.accept().is_err(),
        "somebody followed the payload's address"
    );
}

#[test]
fn a_pull_request_of_a_fork_is_never_deployed() {
    let (teal, _forge, _app, commit) = hooked();
    for (nth, action) in ["opened", "synchronize", "closed", "reopened"]
        .into_iter()
        .enumerate()
    {
        let payload = serde_json::json!({
            "action": action, "number": 7, "repository": { "full_name": "blue/shop" },
            "pull_request": { "number": 7, "merged": false, "base": { "ref": "main" },
                "head": { "ref": "main", "sha": commit, "repo": { "full_name": "mallory/shop", "fork": true } } },
        });
        let delivery = Delivery::of(Sender::GitHub, "pull_request", &payload).id(nth as u32 + 1);
        let told = delivery.send(teal.listen(), "shop");
        assert_eq!(told.status, 200, "{}", told.body);
    }
    let forks = Delivery::push(Sender::GitHub, "mallory/shop", "refs/heads/main", &commit).id(9);
    assert_eq!(forks.send(teal.listen(), "shop").status, 200);
    let pull = Delivery::push(Sender::GitHub, "blue/shop", "refs/pull/7/head", &commit).id(10);
    assert_eq!(pull.send(teal.listen(), "shop").status, 200);
    assert!(teal.states().is_empty());
}
