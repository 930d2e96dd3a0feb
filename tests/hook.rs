//! `teal-hook` under a real git, asked by a real push. Only the server is played, word for word.

mod server;
mod world;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use server::{fall_through, say, serve, verdict};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use teal::intake::hook_protocol::Line;
use world::World;

const MAIN: &str = "refs/heads/main";

#[test]
fn a_reported_push_lands_and_is_watched() {
    let world = World::new();
    let asked = serve(&world.socket(), |asked, hook| match asked.hook.as_str() {
        "proc-receive" => hook.answer(&[fall_through(asked)]),
        _ => hook.answer(&[say("fetch 0.1s"), say("live: https://shop.example\n\nbye")]),
    });
    let options = ["-o", "fast", "-o", "skip-tests"];
    let (code, read) = world.push(&[&options[..], &["production", "main"]].concat());
    assert_eq!(code, 0, "{read}");
    for line in ["fetch 0.1s", "live: https://shop.example", "bye"] {
        let carried = |read: &str| read.trim_end() == format!("remote: {line}");
        assert!(read.lines().any(carried), "{line}: {read}");
    }
    assert_eq!(world.refs(), MAIN);
    let tip = world.at_home(&["rev-parse", "HEAD"]);
    for hook in ["proc-receive", "post-receive"] {
        let asked = asked.recv().unwrap();
        assert_eq!(
            (asked.hook.as_str(), asked.pushed.app.as_str()),
            (hook, "shop")
        );
        assert_eq!(asked.pushed.options, ["fast", "skip-tests"], "{hook}");
        let update = &asked.pushed.updates[0];
        assert_eq!((update.ref_name.as_str(), &update.new), (MAIN, &tip));
        assert_eq!(update.old, "0".repeat(40));
    }
}

#[test]
fn a_rejected_push_moves_nothing_and_says_why() {
    let world = World::new();
    let asked = serve(&world.socket(), |_, hook| {
        let why = "health check failed: 503 from /api/health\nblue serves";
        hook.answer(&[say("health failed"), verdict(MAIN, Some(why))]);
    });
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 1);
    assert!(read.contains("remote: health failed"), "{read}");
    let rejected =
        "! [remote rejected] main -> main (health check failed: 503 from /api/health blue serves)";
    assert!(read.contains(rejected), "{read}");
    assert_eq!(world.refs(), "");
    assert_eq!(asked.recv().unwrap().hook, "proc-receive");
    assert!(asked.try_recv().is_err(), "post-receive has nothing to say");
}

#[test]
fn a_gate_that_opens_has_moved_the_ref_itself() {
    let world = World::new();
    let repository = world.repository.clone();
    let asked = serve(&world.socket(), move |asked, hook| {
        if asked.hook == "proc-receive" {
            let update = &asked.pushed.updates[0];
            let moved = Command::new("git")
                .current_dir(&repository)
                .args(["update-ref", MAIN, &update.new, &update.old])
                .status();
            assert!(moved.unwrap().success());
            hook.answer(&[verdict(MAIN, None)]);
        } else {
            hook.answer(&[]);
        }
    });
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 0, "{read}");
    assert!(read.contains("* [new branch]      main -> main"), "{read}");
    assert_eq!(world.refs(), MAIN);
    assert_eq!(asked.recv().unwrap().hook, "proc-receive");
    assert_eq!(asked.recv().unwrap().hook, "post-receive");
}

#[test]
fn a_wish_to_deploy_stores_no_ref() {
    let world = World::new();
    let asked = serve(&world.socket(), |_, hook| {
        hook.answer(&[say("live"), verdict("refs/deploy/production", None)]);
    });
    for _ in 0..2 {
        let (code, read) = world.push(&["production", "main:refs/deploy/production"]);
        assert_eq!(code, 0, "{read}");
        assert!(read.contains("remote: live"), "{read}");
        assert_eq!(world.refs(), "");
        assert_eq!(asked.recv().unwrap().hook, "proc-receive");
    }
    assert!(asked.try_recv().is_err(), "post-receive has nothing to say");
}

#[test]
fn several_refs_each_get_their_own_fate() {
    let world = World::new();
    world.at_home(&["tag", "v1"]);
    let asked = serve(&world.socket(), |asked, hook| match asked.hook.as_str() {
        "proc-receive" => hook.answer(&[
            verdict(MAIN, Some("tests failed")),
            Line::FallThrough(vec!["refs/tags/v1".to_owned()]),
        ]),
        _ => hook.answer(&[]),
    });
    let (code, read) = world.push(&["production", "main", "v1", "main:other"]);
    assert_eq!(code, 1);
    assert!(read.contains("main -> main (tests failed)"), "{read}");
    assert!(
        read.contains("main -> other (Teal stopped before"),
        "{read}"
    );
    assert_eq!(world.refs(), "refs/tags/v1");
    assert_eq!(asked.recv().unwrap().pushed.updates.len(), 3);
    assert_eq!(asked.recv().unwrap().pushed.updates.len(), 1);
}

#[test]
fn an_atomic_push_is_announced_as_one() {
    let world = World::new();
    let asked = serve(&world.socket(), |_, hook| {
        hook.answer(&[
            verdict(MAIN, Some("no")),
            verdict("refs/heads/b", Some("no")),
        ]);
    });
    let (code, _) = world.push(&["--atomic", "-o", "plan", "production", "main", "main:b"]);
    assert_eq!(code, 1);
    let pushed = asked.recv().unwrap().pushed;
    assert!(pushed.atomic && pushed.options == ["plan"], "{pushed:?}");
}

#[test]
fn without_a_server_report_lands_and_gates_stay_shut() {
    let world = World::new();
    let stored =
        "Teal is not running here: the push is stored and will be deployed when the server is back";
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 0, "{read}");
    assert!(read.contains(stored), "{read}");
    assert_eq!(world.refs(), MAIN);

    fs::write(
        world.repository.join("teal-gates"),
        "refs/heads/main\nrefs/tags/v*\n",
    )
    .unwrap();
    world.at_home(&["commit", "-q", "--allow-empty", "-m", "second"]);
    world.at_home(&["tag", "v1"]);
    let (code, read) = world.push(&["production", "main", "v1", "main:free"]);
    assert_eq!(code, 1, "{read}");
    let gated = "(Teal is not running here; this environment is gated: start it and push again)";
    assert!(read.contains(&format!("main -> main {gated}")), "{read}");
    assert!(read.contains(&format!("v1 -> v1 {gated}")), "{read}");
    assert_eq!(world.refs(), "refs/heads/free\nrefs/heads/main");
    assert_ne!(
        world.at_server(&["rev-parse", MAIN]),
        world.at_home(&["rev-parse", MAIN])
    );

    let (code, read) = world.push(&["production", "main:refs/deploy/production"]);
    assert_eq!(code, 1, "{read}");
    assert!(
        read.contains("(Teal is not running here: start it and push again)"),
        "{read}"
    );
}

#[test]
fn a_refusal_rejects_the_push_with_its_reason() {
    let world = World::new();
    let asked = serve(&world.socket(), |_, hook| {
        hook.refuse("403 Forbidden", "ada may not deploy shop/production\n");
    });
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 1);
    let rejected = "[remote rejected] main -> main (ada may not deploy shop/production)";
    assert!(read.contains(rejected), "{read}");
    assert_eq!(asked.recv().unwrap().hook, "proc-receive");
}

#[test]
fn a_server_that_fails_is_as_good_as_none() {
    let world = World::new();
    let asked = serve(&world.socket(), |_, hook| {
        hook.refuse("500 Internal Server Error", "the disk is full");
    });
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 0, "{read}");
    assert!(
        read.contains("it answered `HTTP/1.0 500 Internal Server Error`"),
        "{read}"
    );
    assert!(
        read.contains("will be deployed when the server is back"),
        "{read}"
    );
    assert_eq!(asked.iter().take(2).count(), 2);
}

#[test]
fn a_server_that_dies_midway_does_not_take_the_push_with_it() {
    let world = World::new();
    let asked = serve(&world.socket(), |asked, hook| {
        if asked.hook == "proc-receive" {
            return hook.answer(&[fall_through(asked)]);
        }
        hook.begin("200 OK");
        hook.send(&[
            Line::LookAgain("teal logs 42 -f".to_owned()),
            say("build …"),
        ]);
    });
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 0, "{read}");
    assert!(read.contains("The connection to Teal broke off"), "{read}");
    assert!(read.contains("look again: teal logs 42 -f"), "{read}");
    assert_eq!(world.refs(), MAIN);
    assert_eq!(asked.iter().take(2).count(), 2);
}

#[test]
fn a_server_that_dies_before_it_has_answered_is_as_good_as_none() {
    let world = World::new();
    fs::write(world.repository.join("teal-gates"), "refs/heads/gated\n").unwrap();
    let asked = serve(&world.socket(), |_, hook| hook.begin("200 OK"));
    let (code, read) = world.push(&["production", "main", "main:gated"]);
    assert_eq!(code, 1, "{read}");
    let gated = "main -> gated (Teal stopped before it said how this ended";
    assert!(read.contains(gated), "{read}");
    // It is found when the server is back, as every push is that came while it was down.
    assert_eq!(world.refs(), MAIN);
    assert_eq!(asked.iter().take(2).count(), 2);
}

#[test]
fn long_lines_of_many_bytes_per_letter_arrive_whole() {
    let world = World::new();
    let lines: Vec<String> = (0..200)
        .map(|n| format!("{n} {}", "ÄÖÜ€漢😀".repeat(n % 40)))
        .collect();
    let told = lines.clone();
    let _asked = serve(&world.socket(), move |asked, hook| {
        match asked.hook.as_str() {
            "proc-receive" => hook.answer(&[fall_through(asked)]),
            _ => hook.answer(&told.iter().map(|line| say(line)).collect::<Vec<_>>()),
        }
    });
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 0);
    let mut carried = read
        .lines()
        .filter_map(|line| line.strip_prefix("remote: "));
    for line in &lines {
        assert_eq!(carried.next().map(str::trim_end), Some(line.trim_end()));
    }
    assert_eq!(carried.next(), None);
}

#[test]
fn a_state_folder_deep_in_the_tree_is_reached() {
    let world = World::named(&format!("{}/{}", "a".repeat(120), "b".repeat(120)));
    let (short, _folder) = short_way_to(&world);
    let asked = serve(&short.join("teal.sock"), |asked, hook| {
        hook.answer(&[fall_through(asked)]);
    });
    let (code, read) = world.push(&["production", "main"]);
    assert_eq!(code, 0, "{read}");
    assert_eq!(asked.iter().take(2).count(), 2);
}

/// A short name for the world's `run` folder, because a server has to bind within 107 bytes too.
fn short_way_to(world: &World) -> (std::path::PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("run");
    std::os::unix::fs::symlink(world.state.join("run"), &link).unwrap();
    (link, folder)
}

#[test]
fn a_repository_elsewhere_is_not_taken_for_one_of_ours() {
    let world = World::new();
    let elsewhere = world.state.join("shop.git");
    fs::rename(&world.repository, &elsewhere).unwrap();
    let (code, read) = world.push(&[world::text(&elsewhere), "main"]);
    assert_eq!(code, 1);
    assert!(read.contains("is not one of Teal's repositories"), "{read}");
}

#[test]
fn the_server_notices_that_the_pusher_was_killed() {
    let world = World::new();
    let (begun, watching) = channel();
    let asked = serve(&world.socket(), move |asked, hook| {
        if asked.hook == "proc-receive" {
            return hook.answer(&[fall_through(asked)]);
        }
        hook.begin("200 OK");
        hook.send(&[say("build …")]);
        begun.send(()).unwrap();
        // The hook reads on until its own writing fails; then it is gone, and so is the other end of this.
        while hook.try_send(&say("still building …")) {}
    });
    let mut push = world
        .command(&world.work, &["push", "production", "main"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    watching.recv().unwrap();
    push.kill().unwrap();
    push.wait().unwrap();
    for hook in ["proc-receive", "post-receive"] {
        let asked = asked.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(asked.hook, hook);
    }
    assert_eq!(world.refs(), MAIN);
}

#[test]
fn leaving_says_how_to_look_again() {
    let world = World::new();
    let (closed, seen) = channel();
    let asked = serve(&world.socket(), move |_, hook| {
        hook.begin("200 OK");
        hook.send(&[
            Line::LookAgain("teal logs 42 -f".to_owned()),
            say("build …"),
        ]);
        hook.wait_until_closed();
        closed.send(()).unwrap();
    });
    // In a session of its own there is no terminal, so that the farewell goes where the other words go.
    let mut hook = Command::new("setsid")
        .arg("--wait")
        .arg(world.repository.join("hooks/post-receive"))
        .current_dir(&world.repository)
        .env_clear()
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = format!("{} {} {MAIN}\n", "0".repeat(40), "1".repeat(40));
    hook.stdin
        .take()
        .unwrap()
        .write_all(line.as_bytes())
        .unwrap();
    let mut read = BufReader::new(hook.stderr.take().unwrap());
    let mut first = String::new();
    read.read_line(&mut first).unwrap();
    assert_eq!(first, "build …\n");
    kill(Pid::from_raw(hook.id() as i32), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    read.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "\nstill deploying; look again: teal logs 42 -f\n");
    assert_eq!(hook.wait().unwrap().code(), Some(130));
    seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(asked.recv().unwrap().hook, "post-receive");
}
