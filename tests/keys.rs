//! Keys that may push to one thing and do nothing else, with a real sshd.

use crate::harness::{App, Outcome, Sandbox, Sshd, Teal, redact};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A server with two apps, of which one has two environments, and the sshd.
fn reached(top: &str) -> (Teal, App, Sshd) {
    let sandbox = Sandbox::new();
    let sshd = Sshd::start(&sandbox);
    let mut teal = Teal::plan()
        .top("ssh_host = \"localhost\"")
        .top(top)
        .environment("shop", "production", "")
        .environment("shop", "staging", "branch = [\"develop\", \"both\"]")
        .environment("shop", "qa", "branch = [\"both\"]")
        .environment("blog", "production", "")
        .init(sandbox);
    teal.serve();
    let app = App::python(&teal.sandbox, "work");
    let user = Outcome::of(std::process::Command::new("id").arg("-un")).ok();
    for name in ["shop", "blog"] {
        let url = format!(
            "ssh://{}@127.0.0.1{}",
            user.trim(),
            teal.repository(name).display()
        );
        app.git().run(["remote", "add", name, &url]).ok();
    }
    (teal, app, sshd)
}

fn key(teal: &Teal, sshd: &Sshd, words: &[&str]) -> Outcome {
    let file = sshd.authorized_keys().display().to_string();
    let words = ["key"].iter().chain(words).copied();
    teal.cli(words.chain(["--authorized-keys", &file]))
}

#[test]
fn a_limited_key_pushes_to_its_environment_and_does_nothing_else() {
    let (teal, app, sshd) = reached("[people.ada]\n");
    let ada = sshd.visitor("ada");
    let file = ada.public_key().display().to_string();
    let added = key(
        &teal,
        &sshd,
        &["add", "ada", &file, "--env", "shop/staging"],
    )
    .ok();
    assert!(
        added.starts_with("ada may push to shop/staging, and do nothing else here"),
        "{added}"
    );
    let git = ada.pusher(app.git().clone());
    let pushed = git.push(["shop", "main:develop"]);
    assert_eq!(pushed.code, 0, "{}\n{}", pushed.stderr, sshd.output());
    assert!(
        pushed.stderr.contains("remote: LIVE: "),
        "{}",
        pushed.stderr
    );
    assert_eq!(teal.history()[0]["by"], "ada");
    let trail = teal.json(["history", "--audit"]);
    assert_eq!(trail[0]["account"], "the ssh key ada");

    // Another branch, also one that goes to staging and elsewhere; a ref that deploys nothing; another app.
    for (remote, spec, why) in [
        (
            "shop",
            "main:main",
            "main goes to production, and the ssh key ada may only push to staging",
        ),
        (
            "shop",
            "main:both",
            "both goes to staging, qa, and the ssh key ada may only push to staging",
        ),
        ("shop", "main:free", "free goes to no environment"),
        (
            "shop",
            "main:refs/deploy/production",
            "deploy/production goes to production",
        ),
        (
            "shop",
            "main:refs/notes/x",
            "notes/x goes to no environment",
        ),
        (
            "blog",
            "main:main",
            "the key ada may push to shop/staging, and do nothing else",
        ),
    ] {
        let refused = git.push([remote, spec]);
        assert_ne!(refused.code, 0, "{spec}: {}", refused.stderr);
        assert!(refused.stderr.contains(why), "{spec}: {}", refused.stderr);
    }
    let again = git.push(["shop", "main:refs/deploy/staging"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(teal.states(), ["live", "live"]);
    let names = teal
        .bare("shop")
        .run(["for-each-ref", "refs/heads", "refs/notes"])
        .ok();
    assert!(
        names.lines().count() == 1 && names.contains("refs/heads/develop"),
        "{names}"
    );
}

#[test]
fn a_limited_key_opens_no_shell_no_tunnel_and_reads_nothing() {
    let (teal, app, sshd) = reached("");
    let ci = sshd.visitor("ci");
    let file = ci.public_key().display().to_string();
    key(&teal, &sshd, &["add", "ci", &file, "--app", "shop"]).ok();
    let marks = teal.sandbox.join("marks");
    let touch = format!("touch {}", marks.display());
    for command in [
        touch.as_str(),
        "",
        "sh",
        &format!(
            "git-receive-pack '{}'; {touch}",
            teal.repository("shop").display()
        ),
        &format!("git-upload-pack '{}'", teal.repository("shop").display()),
        &format!(
            "git-receive-pack '{}/../../teal.db'",
            teal.repository("shop").display()
        ),
        "git-receive-pack '--help'",
        "scp -f /etc/passwd",
    ] {
        let refused = ci.ssh(&[], command);
        assert_eq!(refused.code, 1, "{command}: {}", refused.stdout);
        assert_eq!(refused.stdout, "", "{command}");
        assert!(
            refused
                .stderr
                .contains("the key ci may push to shop, and do nothing else"),
            "{command}: {}",
            refused.stderr
        );
    }
    let port = teal.listen().port();
    let tunnel = ci.ssh(
        &[
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            &format!("0:127.0.0.1:{port}"),
        ],
        "",
    );
    assert_ne!(tunnel.code, 0, "{}", tunnel.stderr);
    assert!(!marks.exists());
    let fetched = ci.pusher(app.git().clone()).run(["fetch", "shop"]);
    assert_ne!(fetched.code, 0);
    // All of the app is also what deploys nothing.
    let pushed = ci.pusher(app.git().clone()).push(["shop", "main:free"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
}

#[test]
fn allow_asks_whose_key_it_is_and_a_removed_key_opens_nothing() {
    let (mut teal, app, sshd) = reached("[people.ada]\nkeys = \"laptop\"\n[people.bob]\n");
    teal.stop(Signal::SIGTERM);
    let config = std::fs::read_to_string(teal.config()).unwrap();
    let limited = config.replace(
        "[apps.shop.environments.production]\n",
        "[apps.shop.environments.production]\nallow = \"ada\"\n",
    );
    std::fs::write(teal.config(), limited).unwrap();
    teal.serve();
    let (laptop, bob) = (sshd.visitor("laptop"), sshd.visitor("bob"));
    for (name, visitor) in [("laptop", &laptop), ("bob", &bob)] {
        let file = visitor.public_key().display().to_string();
        key(&teal, &sshd, &["add", name, &file, "--app", "shop"]).ok();
    }
    let listed = key(&teal, &sshd, &["list"]).ok();
    let shown: Vec<Vec<&str>> = listed
        .lines()
        .map(|line| line.split_whitespace().take(3).collect())
        .collect();
    assert_eq!(
        shown[1..],
        [["laptop", "ada", "shop"], ["bob", "bob", "shop"]]
    );
    let refused = bob.pusher(app.git().clone()).push(["shop", "main"]);
    insta::assert_snapshot!(
        redact(refused.stderr.lines().find(|line| line.contains(" ! ")).unwrap().trim(), &teal.sandbox),
        @"! [remote rejected] main -> main (bob may not deploy to shop/production: you are bob, by the ssh key bob; shop/production is for ada)"
    );
    let pushed = laptop.pusher(app.git().clone()).push(["shop", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let by = |one: &Value| one["by"].as_str().map(str::to_owned);
    assert_eq!(
        teal.history().iter().filter_map(by).collect::<Vec<_>>(),
        ["ada"]
    );

    key(&teal, &sshd, &["remove", "laptop"]).ok();
    app.version("v2");
    let locked_out = laptop.pusher(app.git().clone()).push(["shop", "main"]);
    assert_ne!(locked_out.code, 0);
    assert!(
        locked_out.stderr.contains("Permission denied"),
        "{}",
        locked_out.stderr
    );
    let missing = key(&teal, &sshd, &["remove", "laptop"]);
    assert_eq!(missing.code, 2, "{}", missing.stderr);
}

#[test]
fn a_limited_key_is_told_what_is_missing() {
    let (teal, _app, sshd) = reached("");
    let ada = sshd.visitor("ada");
    let file = ada.public_key().display().to_string();
    for (words, why) in [
        (
            &["add", "ada", &file][..],
            "the key would have nothing to push to",
        ),
        (
            &["add", "ada", &file, "--env", "production"],
            "`production` is an environment of several apps",
        ),
        (
            &["add", "ada", &file, "--env", "prod"],
            "there is no environment `prod`",
        ),
        (&["add", "ada", &file, "--app", "x"], "there is no app `x`"),
        (
            &["add", "Ada!", &file, "--app", "shop"],
            "`Ada!` cannot be a name here",
        ),
        (
            &["add", "ada", "ssh-ed25519 AAAA", "--app", "shop"],
            "neither a public ssh key nor a file",
        ),
    ] {
        let refused = key(&teal, &sshd, words);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    let private = file.trim_end_matches(".pub").to_owned();
    let refused = key(&teal, &sshd, &["add", "ada", &private, "--app", "shop"]);
    assert!(
        refused.stderr.contains("that is a private key"),
        "{}",
        refused.stderr
    );
    // The client's own key is in the file without limits.
    let own = sshd
        .authorized_keys()
        .with_file_name("client.pub")
        .display()
        .to_string();
    let refused = key(&teal, &sshd, &["add", "ada", &own, "--app", "shop"]);
    assert!(
        refused
            .stderr
            .contains("lets this key in without limits (line 1)"),
        "{}",
        refused.stderr
    );
}
