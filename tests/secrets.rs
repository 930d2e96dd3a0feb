//! An app's secrets in what its commands print: whatever form they take, no log has them, no terminal, no page and no message.

use crate::harness::{App, Daemon, Teal};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const HOST: &str = "production.shop.test";

/// What is set, and what no reader of a log may ever see of it.
const TOKEN: &str = "hunter2 p@ss/w+rd&=%25?ünique";
const PASSWORD: &str = "correct-horse-battery";

/// Prints the token in every form that programs print things in, and in pieces; then ends with this code.
const LEAK: &str = r#"import base64, json, os, sys, urllib.parse
token = os.environ["API_TOKEN"]
raw = token.encode()
def say(*words):
    print(*words, flush=True)
say("plain", token)
say("json", json.dumps({"token": token}, ensure_ascii=False))
say("base64", base64.b64encode(raw).decode())
say("urlsafe", base64.urlsafe_b64encode(raw).decode())
say("basic", base64.b64encode(b"user:" + raw).decode())
say("inside", base64.b64encode(b"ab" + raw + b"cd").decode())
say("wrapped", base64.encodebytes(b"x" * 50 + raw).decode())
for safe in ("", "/", "~"):
    say("url", urllib.parse.quote(token, safe=safe))
say("form", urllib.parse.quote_plus(token))
say("small", urllib.parse.quote(token, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%C3%BC", "%c3%bc").replace("%3D", "%3d").replace("%3F", "%3f"))
say("address", os.environ["DATABASE_URL"], "and", os.environ["DATABASE_URL"].split(":")[2].split("@")[0])
for byte in raw:
    os.write(1, bytes([byte]))
say()
half = len(raw) // 2
say("lines", token[:half])
say(token[half:])
sys.stderr.write(token[:4]); sys.stderr.flush()
sys.stdout.write(token[4:]); sys.stdout.flush()
say()
sys.exit(int(sys.argv[1]))
"#;

/// Pieces of every form; none may be found.
const TRACES: [&str; 13] = [
    "hunter2",
    "p@ss",
    "w+rd",
    "nique",
    "p%40ss",
    "w%2Brd",
    "w%2brd",
    "horse-battery",
    // Of base64: the middle of the token in each of the three ways in which it can lie.
    "BAc3Mvdy",
    "wQHNzL3crcmQ",
    "cEBzcy93K3Jk",
    "Aco3Nzdy",
    "cEBzcy93",
];

#[track_caller]
fn clean(what: &str, text: &str) {
    for trace in TRACES {
        assert!(!text.contains(trace), "{what} has `{trace}`:\n{text}");
    }
}

/// Every file below the folder, bar those below `except`.
fn clean_files(folder: &Path, except: &Path) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path == except {
            continue;
        }
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => clean_files(&path, except),
            // What a supervisor starts its service with, should it have to: for nobody else to read.
            _ if path.ends_with("spec.json") => {
                assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600);
            }
            kind if kind.is_file() => {
                let bytes = fs::read(&path).unwrap();
                clean(
                    &path.display().to_string(),
                    &String::from_utf8_lossy(&bytes),
                );
            }
            _ => {}
        }
    }
}

fn with_secrets() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let url = format!("postgres://shop:{PASSWORD}@10.0.0.1/shop");
    let values = [format!("API_TOKEN={TOKEN}"), format!("DATABASE_URL={url}")];
    let words = ["env", "set", "production", &values[0], &values[1]];
    teal.cli(words).ok();
    app.git().write("leak.py", LEAK);
    (teal, app)
}

const SEES: &str = "env = [\"API_TOKEN\", \"DATABASE_URL\"]";

#[test]
fn a_build_that_prints_them_and_fails_tells_nobody() {
    let (teal, app) = with_secrets();
    app.recipe(&format!("[build]\nbuild = \"python3 leak.py 3\"\n{SEES}\n"));
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert!(
        pushed.stderr.contains("FAILED at build"),
        "{}",
        pushed.stderr
    );
    assert!(pushed.stderr.contains("***"), "{}", pushed.stderr);
    clean("the pusher's terminal", &pushed.stderr);
    let logs = teal.cli(["logs", "3"]).ok();
    for form in [
        "plain ***",
        "base64 ***",
        "url ***",
        "form ***",
        "small ***",
    ] {
        assert!(logs.contains(form), "`{form}` is not in {logs}");
    }
    clean("teal logs", &logs);
    clean("teal logs --json", &teal.cli(["logs", "3", "--json"]).ok());
    clean("teal history", &teal.json(["history"]).to_string());
    clean("the server's log", &teal.log());
    clean_files(&teal.state_dir(), &teal.state_dir().join("env"));
    clean_files(
        &teal.root("shop", "production").join("shared"),
        Path::new(""),
    );
}

#[test]
fn a_service_that_prints_them_tells_nobody() {
    let (teal, app) = with_secrets();
    app.recipe(
        "[run]\nweb = \"python3 leak.py 0; exec python3 -u app.py\"\n[migrate]\ncommand = \"python3 leak.py 0\"\n",
    );
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v2", "{}", pushed.stderr);
    clean("the pusher's terminal", &pushed.stderr);
    let logs = teal.cli(["logs", "production"]).ok();
    assert!(logs.contains("plain ***"), "{logs}");
    clean("teal logs", &logs);
    clean_files(&teal.state_dir(), &teal.state_dir().join("env"));
    clean_files(
        &teal.root("shop", "production").join("shared"),
        Path::new(""),
    );
}

#[test]
fn they_are_in_no_command_line() {
    let (teal, app) = with_secrets();
    app.recipe(&format!(
        "[build]\nbuild = \"{}\"\n{SEES}\n",
        teal.waiting("build")
    ));
    app.version("v2");
    let mut command = app.git().command();
    command.args(["push", "production", "main"]);
    let mut pushing = Daemon::spawn("git push", &mut command);
    teal.wait_for_waiting("build");
    let lines: Vec<String> = teal
        .sandbox
        .processes()
        .into_iter()
        .map(|it| it.1)
        .collect();
    assert!(lines.iter().any(|line| line.contains("build-waits")));
    clean("a command line", &lines.join("\n"));
    teal.let_go("build");
    assert_eq!(pushing.finish(), 0, "{}", pushing.output());
}
