//! `teal top`: what serves and its traffic, once where nobody looks, and live on a real terminal.

use crate::harness::{Outcome, Teal};
use std::process::{Command, Stdio};

/// Runs a command on a terminal of 80 columns, waits for the words, makes the terminal narrower, waits for the next ones, and
/// presses `q`.
const ONLOOKER: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios, time
first, second = sys.argv[1:3]
pid, tty = pty.fork()
if pid == 0:
    os.execv(sys.argv[3], sys.argv[3:])
def size(columns):
    fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
seen = b""
def until(what):
    global seen
    end = time.monotonic() + 20
    while what.encode() not in seen:
        left = end - time.monotonic()
        if left <= 0 or not select.select([tty], [], [], left)[0]:
            sys.exit("never saw %r in %r" % (what, seen))
        try:
            seen += os.read(tty, 65536)
        except OSError:
            sys.exit("it ended with %r" % seen)
size(80)
until(first)
seen = b""
size(60)
until(second)
seen = b""
os.write(tty, b"q")
until("\x1b[?1049l")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn it_moves_on_a_terminal_follows_its_size_and_leaves_it_as_it_was() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.git()
        .run([
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "A subject that is long enough to be cut somewhere",
        ])
        .ok();
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let top = teal.command(["top"]);
    let mut onlooker = Command::new("python3");
    onlooker.args(["-c", ONLOOKER, "that is long", "A subject t…"]);
    onlooker.arg(top.get_program()).args(top.get_args());
    onlooker.env_clear().env("TERM", "xterm-256color");
    onlooker.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    onlooker.current_dir(teal.sandbox.path());
    let said = Outcome::of(&mut onlooker);
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
}

#[test]
fn where_nobody_looks_it_is_printed_once_with_what_was_asked_per_second() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    let load = teal.load("production.shop.test");
    load.wait_for_more(20);
    let printed = teal.json(["top"]);
    let blue = &printed["rates"][0]["blue"];
    assert!(blue["per_second"].as_f64().unwrap() > 0.0, "{printed}");
    assert!(blue["p50_us"].as_u64().unwrap() > 0, "{printed}");
    assert_eq!(blue["errors"], 0, "{printed}");
    let text = teal.cli(["top", "production"]).ok();
    assert!(!text.contains('\x1b'), "{text}");
    assert!(text.contains("blue  100 % ██████████"), "{text}");
    assert!(text.contains("/s  p50"), "{text}");
    load.stop();
}

#[test]
fn a_step_that_runs_is_shown_with_how_long_it_took_before() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe("[build]\nbuild = \"sleep 1.1\"");
    app.git().commit("slow");
    assert_eq!(app.git().push(["production", "main"]).code, 0);
    app.recipe(&format!("[build]\nbuild = {:?}", teal.waiting("build")));
    app.git().commit("slower");
    let mut push = app.git().command();
    let mut push = push
        .args(["push", "--quiet", "production", "main"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    teal.wait_for_waiting("build");
    let text = teal.cli(["top"]).ok();
    assert!(text.contains(" s of about "), "{text}");
    assert!(
        text.contains("2 build ░") || text.contains("2 build █"),
        "{text}"
    );
    teal.let_go("build");
    assert!(push.wait().unwrap().success());
}
