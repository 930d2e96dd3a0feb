//! Who is stuck holds up nobody else, and who is no owner of the server commands it only as far as `allow` lets them.

use crate::harness::{Outcome, Teal};
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
    let turned_away = health("127.0.0.3", teal.listen()).await;
    assert!(turned_away.starts_with("HTTP/1.1 503"), "{turned_away}");
    let other = health("127.0.0.2", teal.listen()).await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    drop(stuck);
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
