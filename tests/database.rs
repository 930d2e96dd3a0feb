//! The database that is locked, damaged, of another Teal, or in use by another server: Teal says what is the matter and what
//! to do, and the proxy and the services go on without it.

use crate::harness::{App, Daemon, LONG, Teal, wait_until};
use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;

const HOST: &str = "production.shop.test";

fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    (teal, app)
}

/// Another program that has the database to itself until it is dropped.
fn holder(teal: &Teal) -> Daemon {
    let text = "import sqlite3, sys, threading\n\
                c = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                c.execute('BEGIN IMMEDIATE')\n\
                print('held', flush=True)\n\
                threading.Event().wait()\n";
    let mut command = Command::new("python3");
    command.args(["-u", "-c", text]);
    command.arg(teal.state_dir().join("teal.db"));
    let mut holder = Daemon::spawn("the holder", &mut command);
    holder.says("held");
    holder
}

/// The server does not start, says these words, and visitors notice nothing.
#[track_caller]
fn refuses(teal: &mut Teal, words: &[&str]) {
    let load = teal.load(HOST);
    teal.spawn_serve(&[]);
    let code = teal.server().finish();
    let said = teal.log();
    assert_eq!(code, 1, "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not in: {said}");
    }
    load.wait_for_more(20);
    let seen = load.stop();
    assert_eq!(seen.failures(), 0, "{seen:?}");
}

#[test]
fn one_that_another_program_holds_is_waited_for_and_then_told() {
    let (mut teal, app) = live();
    app.version("v2");
    let held = holder(&teal);
    let pushed = app.git().push(["production", "main"]);
    // The push is no less a push for it: it is taken up once the database is free.
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    assert!(pushed.stderr.contains("locked"), "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v1");
    drop(held);
    teal.stop(Signal::SIGTERM);
    teal.serve();
    teal.wait_for_states(&["live", "live"]);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn one_that_is_damaged_is_not_guessed_at() {
    let (mut teal, _app) = live();
    teal.stop(Signal::SIGTERM);
    let path = teal.state_dir().join("teal.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let all_in_one = "PRAGMA wal_checkpoint(TRUNCATE)";
    connection.query_row(all_in_one, [], |_| Ok(())).unwrap();
    drop(connection);
    let whole = fs::read(&path).unwrap();
    for name in ["teal.db-wal", "teal.db-shm"] {
        let _ = fs::remove_file(teal.state_dir().join(name));
    }
    // The first page, then one of a table: what is torn there is noticed before anything is decided from it.
    for at in [0, 4096] {
        let mut torn = whole.clone();
        let end = (at + 4096).min(torn.len());
        torn[at..end].fill(0x5a);
        fs::write(&path, &torn).unwrap();
        refuses(&mut teal, &["teal.db", "recover"]);
        assert_eq!(fs::read(&path).unwrap(), torn, "it is left as it was found");
    }
    fs::write(&path, &whole).unwrap();
    teal.serve();
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn one_that_is_gone_is_not_begun_anew_while_releases_serve() {
    let (mut teal, _app) = live();
    teal.stop(Signal::SIGTERM);
    let away = teal.sandbox.dir("away");
    let of_it = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("teal.db");
    let files = fs::read_dir(teal.state_dir()).unwrap().flatten();
    let files: Vec<fs::DirEntry> = files.filter(of_it).collect();
    for file in &files {
        fs::rename(file.path(), away.join(file.file_name())).unwrap();
    }
    refuses(&mut teal, &["there is no database", "put back"]);
    for file in &files {
        fs::rename(away.join(file.file_name()), file.path()).unwrap();
    }
    teal.serve();
    assert_eq!(teal.states(), ["live"]);
}

#[test]
fn one_of_a_newer_teal_is_refused() {
    let (mut teal, _app) = live();
    teal.stop(Signal::SIGTERM);
    let path = teal.state_dir().join("teal.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    refuses(&mut teal, &["schema 99", "start the newer Teal again"]);
}

/// The tables of the first Teal, and what they held.
const FIRST: [(&str, &str); 5] = [
    (
        "deployments",
        "id INTEGER PRIMARY KEY AUTOINCREMENT, env TEXT NOT NULL, state TEXT NOT NULL, commit_id TEXT NOT NULL, \
         created_ms INTEGER NOT NULL, body TEXT NOT NULL",
    ),
    (
        "events",
        "seq INTEGER PRIMARY KEY AUTOINCREMENT, deployment INTEGER NOT NULL REFERENCES deployments (id), \
         at_ms INTEGER NOT NULL, body TEXT NOT NULL",
    ),
    (
        "pushes",
        "id INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL, delivery TEXT, received_ms INTEGER NOT NULL, \
         body TEXT NOT NULL, deployments TEXT NOT NULL",
    ),
    (
        "environments",
        "env TEXT PRIMARY KEY, active TEXT, warm_until_ms INTEGER, blue TEXT, green TEXT",
    ),
    (
        "keys",
        "scope TEXT NOT NULL, step TEXT NOT NULL, key TEXT NOT NULL, deployment INTEGER NOT NULL, \
         at_ms INTEGER NOT NULL, PRIMARY KEY (scope, step, key)",
    ),
];

/// Replaces the database by one of schema 1 with the same rows.
fn as_the_first_teal_wrote_it(path: &std::path::Path) {
    let old = path.with_extension("first");
    let connection = rusqlite::Connection::open(&old).unwrap();
    let attach = format!("ATTACH '{}' AS now", path.display());
    connection.execute_batch(&attach).unwrap();
    for (table, columns) in FIRST {
        let make = format!("CREATE TABLE {table} ({columns}) STRICT");
        connection.execute_batch(&make).unwrap();
        let names: Vec<&str> = columns
            .split(", ")
            .filter_map(|column| column.trim().split(' ').next())
            .filter(|name| !["PRIMARY", "step", "key)"].contains(name))
            .collect();
        let mut names = names.join(", ");
        if table == "keys" {
            names = "scope, step, key, deployment, at_ms".to_owned();
        }
        let copy = format!("INSERT INTO {table} ({names}) SELECT {names} FROM now.{table}");
        connection.execute_batch(&copy).unwrap();
    }
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    for name in ["teal.db-wal", "teal.db-shm"] {
        let _ = fs::remove_file(path.with_file_name(name));
    }
    fs::rename(old, path).unwrap();
}

#[test]
fn one_of_an_older_teal_is_copied_and_moved_forward() {
    let (mut teal, app) = live();
    teal.stop(Signal::SIGTERM);
    let path = teal.state_dir().join("teal.db");
    as_the_first_teal_wrote_it(&path);
    teal.serve();
    assert_eq!(teal.serves(HOST), "v1");
    assert_eq!(teal.states(), ["live"]);
    let copy = teal.state_dir().join("teal.db.schema-1");
    let copy = rusqlite::Connection::open(copy).unwrap();
    let kept: i64 = copy
        .query_row("SELECT count(*) FROM deployments", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1);
    app.version("v2");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn one_that_another_server_has_names_that_server() {
    let (mut teal, _app) = live();
    let first = teal.server().pid();
    let second = teal.cli(["serve"]);
    assert_eq!(second.code, 1, "{}", second.stderr);
    let holder = format!("another Teal server (pid {first}");
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    // Who holds it is to be seen without asking for trouble.
    let status = teal.json(["status"]);
    assert_eq!(status["lock"]["pid"], first, "{status}");
    let shown = teal.cli(["status"]).ok();
    assert!(shown.contains(&format!("pid {first}")), "{shown}");
    // A lease ends with its process, however that ends, and nobody removes a file.
    teal.stop(Signal::SIGKILL);
    let down = teal.cli(["status"]);
    assert_eq!(down.code, 3);
    teal.serve();
    wait_until(LONG, "the next server answers", || {
        teal.cli(["status"]).code == 0
    });
}
