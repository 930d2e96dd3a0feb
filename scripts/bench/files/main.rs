//! What the benchmarks of files time: Teal's own code for sealing, putting back what is installed, and checking out, on a
//! folder that `scripts/bench/files` has prepared. Prints a line for each time: what, and milliseconds.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use teal::domain::{Color, Mode};
use teal::release::{self, About, Slots};
use teal::system::git::Repo;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let dir = PathBuf::from(&words[2]);
    match words[1].as_str() {
        "seal" => seal(&dir, words[3].parse().unwrap()),
        "checkout" => checkout(&dir, &words[3..]),
        other => println!("{other}? seal or checkout"),
    }
}

fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    println!("{what} {:.3}", start.elapsed().as_secs_f64() * 1000.0);
    done
}

/// `dir/releases/blue` holds a release with its `node_modules`; as many releases follow it, each with one changed file.
fn seal(dir: &Path, rounds: i64) {
    let slots = Slots::new(dir, dir.join("meta"));
    slots.prepare().unwrap();
    let (shelf, stop) = (slots.shelf(), AtomicBool::new(false));
    let folders = ["node_modules".to_owned()];
    let what = (".", folders.as_slice());
    let place = |color| (slots.slot(color), slots.ledger(color));
    let (blue, known) = place(Color::Blue);
    let installed = timed("first-look", || {
        release::look_at_installed(&shelf, &blue, &known, "key", what).unwrap()
    });
    timed("first", || installed.seal(&stop).unwrap());
    for round in 0..rounds {
        fs::create_dir_all(blue.join("dist")).unwrap();
        fs::write(blue.join("dist/main.js"), format!("{round}\n")).unwrap();
        let now = 1_700_000_000_000 + round * 1000;
        let begun = timed("path", || {
            release::begin(&shelf, &blue, &known, now, &[]).unwrap()
        });
        timed("beside", || {
            begun
                .finish(about(round, now), &slots.index(Color::Blue))
                .unwrap()
        });
    }
    let (green, other) = place(Color::Green);
    for name in ["other-color", "other-color-again"] {
        timed(name, || {
            release::put_back_installed(&shelf, "key", &green, &shelf, &other, &stop).unwrap();
        });
    }
    let newest = shelf.list().unwrap().pop().unwrap();
    timed("verify", || release::verify(&newest).unwrap());
    timed("sweep", || slots.sweep().unwrap());
}

fn about(deployment: i64, created_ms: i64) -> About {
    About {
        deployment,
        commit: "ab".repeat(20).parse().unwrap(),
        ref_name: "refs/heads/main".to_owned(),
        env_digest: None,
        created_ms,
        color: Color::Blue,
        recipe: serde_json::Value::Null,
        migrate_key: None,
        keys: BTreeMap::new(),
    }
}

/// `dir/repo.git` is a bare repository; its commits are checked out into `dir/slot` in turn.
fn checkout(dir: &Path, commits: &[String]) {
    let (slot, index) = (dir.join("slot"), dir.join("meta/index"));
    fs::create_dir_all(&slot).unwrap();
    for (number, commit) in commits.iter().enumerate() {
        let commit = commit.parse().unwrap();
        let what = if number == 0 {
            "checkout-first"
        } else {
            "checkout"
        };
        timed(what, || {
            let repo = Repo::open(&dir.join("repo.git")).unwrap();
            release::checkout(&repo, &commit, &slot, &index, Mode::Fast).unwrap();
        });
    }
}
