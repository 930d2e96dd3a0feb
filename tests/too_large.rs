//! Repositories that are too large, or unfold to something that is: they are refused by name, nothing of them stays on the
//! disk or in memory, and what serves goes on.

use crate::harness::{App, Delivery, Forge, SECRET, Sandbox, Sender, Teal, wait_until};
use git2::{Oid, Repository, Signature, Time};
use std::fs;

const HOST: &str = "production.shop.test";

/// Bytes that no compression makes fewer.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

/// How many bytes the files below this folder have.
fn size(folder: &std::path::Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[test]
fn a_push_of_too_much_is_refused() {
    let teal = Teal::plan()
        .app("shop", "largest_push = \"3MB\"")
        .environment("shop", "production", "")
        .start();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    app.git().write("big.bin", noise(8_000_000));
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_ne!(pushed.code, 0);
    assert!(
        pushed.stderr.contains("exceeds maximum allowed size"),
        "{}",
        pushed.stderr
    );
    assert!(size(&teal.repository("shop")) < 1_000_000);
    assert_eq!(teal.states(), ["live"]);
    app.git().run(["reset", "--quiet", "--hard", "HEAD~1"]).ok();
    app.version("v3");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.serves(HOST), "v3");
}

#[test]
fn a_remote_that_sends_too_much_is_stopped_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let (forge, app) = Forge::with_shop(&sandbox);
    let push = || {
        app.git()
            .run(["push", "--quiet", "--force", "origin", "main"])
            .ok()
    };
    push();
    let keys = format!("{}\nlargest_push = \"3MB\"", forge.shop_keys("github"));
    let mut teal = Teal::plan()
        .top("reconcile = \"0s\"")
        .variable("SHOP_SECRET", SECRET)
        .app("shop", &keys)
        .environment("shop", "production", "")
        .init(sandbox);
    teal.serve();
    let deliver = |id: u32| {
        let commit = app.git().head();
        let delivery = Delivery::push(Sender::GitHub, "blue/shop", "refs/heads/main", &commit);
        assert_eq!(delivery.id(id).send(teal.listen(), "shop").status, 202);
    };
    deliver(1);
    teal.wait_for_states(&["live"]);
    app.git().write("big.bin", noise(8_000_000));
    app.version("v2");
    push();
    deliver(2);
    teal.wait_for_states(&["live", "failed"]);
    let cause = teal.failures()[0]["cause"].as_str().unwrap().to_owned();
    assert!(
        cause.contains("sends more than the 3.0 MB") && cause.contains("largest_push"),
        "{cause}"
    );
    assert!(size(&teal.repository("shop")) < 1_000_000);
    app.git().run(["reset", "--quiet", "--hard", "HEAD~1"]).ok();
    app.version("v3");
    push();
    deliver(3);
    teal.wait_for_states(&["live", "failed", "live"]);
    assert_eq!(teal.serves(HOST), "v3");
}

/// A commit on `main` of the app's repository with this in its top folder beside all else.
fn commit_with(app: &App, name: &str, id: Oid, mode: i32) {
    let git = Repository::open(app.path()).unwrap();
    let head = git.head().unwrap().peel_to_commit().unwrap();
    let mut tree = git.treebuilder(Some(&head.tree().unwrap())).unwrap();
    tree.insert(name, id, mode).unwrap();
    let tree = git.find_tree(tree.write().unwrap()).unwrap();
    let who = Signature::new("a", "a@example.com", &Time::new(1_700_000_000, 0)).unwrap();
    let parents = [&head];
    git.commit(Some("HEAD"), &who, &who, name, &tree, &parents)
        .unwrap();
}

/// A folder that holds itself `wide` times, `deep` folders deep, under names of this length.
fn unfolding(app: &App, wide: usize, deep: usize, length: usize) -> Oid {
    let git = Repository::open(app.path()).unwrap();
    let mut below = (git.blob(b"x").unwrap(), 0o100_644);
    for _ in 0..deep {
        let mut tree = git.treebuilder(None).unwrap();
        for n in 0..wide {
            tree.insert(format!("{n}{}", "n".repeat(length)), below.0, below.1)
                .unwrap();
        }
        below = (tree.write().unwrap(), 0o040_000);
    }
    below.0
}

/// The most memory that the server ever had, in megabytes.
fn peak(teal: &mut Teal) -> u64 {
    let pid = teal.server().pid();
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() / 1024
}

#[test]
fn trees_that_unfold_without_end_are_refused() {
    let mut teal = Teal::shop();
    let app = teal.client("shop");
    // Everything that looks through whole trees does: ignored files, migrations, the comparison with what serves.
    app.recipe("[build]\nbuild = \"true\"\nignore = [\"*.md\"]\n");
    app.git().write("migrations/run.sh", "true\n");
    app.version("v1");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    for (wide, deep, length, words) in [
        (10, 9, 1, "more than 2000000 files"),
        (4, 60, 200, "paths without end"),
        (1, 5000, 1, "nests folders more than 200 deep"),
    ] {
        let bomb = unfolding(&app, wide, deep, length);
        commit_with(&app, "bomb", bomb, 0o040_000);
        let plan = app.git().push(["-o", "plan", "production", "main"]);
        assert_ne!(plan.code, 0, "a plan moves nothing");
        let pushed = app.git().push(["production", "main"]);
        // git itself may refuse it: then nothing arrives at all.
        if pushed.code == 0 {
            assert!(pushed.stderr.contains("FAILED at"), "{}", pushed.stderr);
            assert!(pushed.stderr.contains(words), "{}", pushed.stderr);
        }
        assert_eq!(teal.serves(HOST), "v1");
        app.git().run(["reset", "--quiet", "--soft", "HEAD~1"]).ok();
        app.git().run(["reset", "--quiet"]).ok();
    }
    assert!(teal.server().ended().is_none());
    let peak = peak(&mut teal);
    assert!(peak < 2000, "{peak} MB");
    app.version("v2");
    let pushed = app.git().push(["--force", "production", "main"]);
    assert_eq!(teal.serves(HOST), "v2", "{}", pushed.stderr);
}

#[test]
fn a_file_of_any_amount_of_zeros_is_refused_before_it_is_written() {
    let mut teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let zeros = fs::File::create(app.path().join("zeros")).unwrap();
    zeros.set_len(600_000_000).unwrap();
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert!(pushed.stderr.contains("FAILED at"), "{}", pushed.stderr);
    let words = "`zeros` has 600.0 MB, and files of more than 512.0 MB are not checked out";
    assert!(pushed.stderr.contains(words), "{}", pushed.stderr);
    let peak = peak(&mut teal);
    assert!(peak < 400, "{peak} MB");
    fs::remove_file(app.path().join("zeros")).unwrap();
    app.version("v3");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v3", "{}", pushed.stderr);
    wait_until(crate::harness::LONG, "all is over", || {
        teal.history().iter().all(crate::kill_anywhere::is_over)
    });
}
