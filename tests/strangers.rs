//! Who is stuck holds up nobody else, and who is no owner of the server commands it only as far as `allow` lets them.

use crate::harness::{Delivery, Outcome, SECRET, Sender, Teal};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const SOMEBODY: &str = "nobody";

async fn from(peer: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{peer}:0").parse().unwrap()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn health(peer: &str, to: SocketAddr) -> String {
    let mut stream = from(peer, to).await;
    let ask = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    // Whoever is turned away may be told so before they have asked.
    let _ = stream.write_all(ask).await;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_peer_that_is_stuck_keeps_nobody_else_out() {
    let teal = Teal::shop();
    let mut stuck = Vec::new();
    for _ in 0..128 {
        let mut one = from("127.0.0.3", teal.listen()).await;
        one.write_all(b"POST /hooks/shop HTTP/1.1\r\nX: ")
            .await
            .unwrap();
        stuck.push(one);
    }
    // Not even those who come from the same address.
    for peer in ["127.0.0.2", "127.0.0.3"] {
        let answer = health(peer, teal.listen()).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{peer}: {answer}");
    }
    drop(stuck);
}

/// A delivery that nobody has signed, of 25 MB, all of it sent bar the last byte.
async fn almost(peer: &str, to: SocketAddr) -> TcpStream {
    const LENGTH: usize = 25_000_000;
    let mut stream = from(peer, to).await;
    let head = format!(
        "POST /hooks/shop HTTP/1.1\r\nHost: teal\r\nX-GitHub-Event: push\r\nContent-Type: application/json\r\n\
         Content-Length: {LENGTH}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = [b' '; 100_000];
    for _ in 0..LENGTH / piece.len() - 1 {
        if stream.write_all(&piece).await.is_err() {
            // It was refused: there is no room for so much from one address.
            break;
        }
    }
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_of_25_megabytes_hold_nobody_up() {
    let secret = "webhook_secret = { env = \"SHOP_SECRET\" }";
    let mut teal = Teal::plan()
        .variable("SHOP_SECRET", SECRET)
        .top("reconcile = \"0s\"")
        .app(
            "shop",
            &format!("forge = \"github\"\nrepo = \"http://127.0.0.1:9/shop.git\"\n{secret}"),
        )
        .environment("shop", "production", "")
        .start();
    // Twenty bodies of 25 MB from two addresses, none of which ever ends.
    let peers = (0..20).map(|n| almost(["127.0.0.3", "127.0.0.4"][n % 2], teal.listen()));
    let mut slow = tokio::task::JoinSet::new();
    for peer in peers {
        slow.spawn(peer);
    }
    let slow = slow.join_all().await;
    let answer = health("127.0.0.3", teal.listen()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // One as large, from elsewhere, is taken at once: it is about a branch that is deployed nowhere.
    let payload = serde_json::json!({
        "ref": "refs/heads/elsewhere", "after": "1".repeat(40), "deleted": false, "filler": " ".repeat(24_000_000),
        "repository": { "full_name": "blue/shop" }, "pusher": { "name": "ada" },
    });
    let delivery = Delivery::of(Sender::GitHub, "push", &payload);
    let to = teal.listen();
    let told = tokio::task::spawn_blocking(move || delivery.send(to, "shop"));
    let told = told.await.unwrap();
    assert_eq!(told.status, 200, "{}", told.body);
    let pid = teal.server().pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    assert!(peak < 600 * 1024, "{peak} kB");
    drop(slow);
}

/// A command as another user of this machine, who is in the socket's group.
fn typed_by_somebody(teal: &Teal, words: &[&str]) -> Outcome {
    let user = nix::unistd::User::from_name(SOMEBODY).unwrap().unwrap();
    let group = fs::metadata(teal.state_dir().join("run/teal.sock"))
        .unwrap()
        .gid();
    let mut command = teal.command(words.iter().copied());
    command.uid(user.uid.as_raw()).gid(group);
    Outcome::of(&mut command)
}

#[test]
fn another_user_of_the_machine_may_what_allow_says_and_look_when_they_are_known() {
    if !nix::unistd::getuid().is_root() {
        eprintln!("skipped: only root can type commands as somebody else");
        return;
    }
    for known in [false, true] {
        let people = match known {
            true => format!("[people.ada]\nunix = \"{SOMEBODY}\"\n"),
            false => "[people.ada]\n".to_owned(),
        };
        let teal = Teal::plan()
            .top(&people)
            .environment("shop", "production", "allow = \"ada\"")
            .environment("shop", "staging", "branch = \"develop\"")
            .start();
        fs::set_permissions(teal.sandbox.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let socket = fs::metadata(teal.state_dir().join("run/teal.sock")).unwrap();
        assert_eq!(socket.mode() & 0o777, 0o660);
        let app = teal.client("shop");
        app.git().push(["production", "main:develop"]);
        teal.wait_for_states(&["live"]);
        let status = typed_by_somebody(&teal, &["status"]);
        let deploy = typed_by_somebody(&teal, &["deploy", "production", "--ref", "develop"]);
        let restart = typed_by_somebody(&teal, &["restart", "staging"]);
        if known {
            assert_eq!(status.code, 0, "{}", status.stderr);
            assert_eq!(deploy.code, 0, "{}{}", deploy.stdout, deploy.stderr);
            assert_eq!(restart.code, 4, "{}", restart.stderr);
            assert!(
                restart
                    .stderr
                    .contains("shop/staging has no `allow`, so only"),
                "{}",
                restart.stderr
            );
            assert_eq!(teal.history()[1]["by"], "ada");
        } else {
            for refused in [status, deploy, restart] {
                assert_eq!(refused.code, 4, "{}", refused.stderr);
                assert!(
                    refused.stderr.contains("may not command this server"),
                    "{}",
                    refused.stderr
                );
            }
        }
    }
}
