//! What shells and `man` are given: a real bash completes what is typed, and the pages render.

use crate::harness::{Outcome, Sandbox};
use std::path::Path;
use std::process::Command;

fn teal() -> Command {
    Command::new(env!("CARGO_BIN_EXE_teal"))
}

/// Types into an interactive bash behind a terminal, presses Tab, and waits until the line shows what it should.
const TYPIST: &str = r#"
import os, pty, select, sys, time
script, typed, wanted = sys.argv[1:]
pid, tty = pty.fork()
if pid == 0:
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
seen = b""
def until(what):
    global seen
    end = time.monotonic() + 20
    while what not in seen:
        left = end - time.monotonic()
        if left <= 0 or not select.select([tty], [], [], left)[0]:
            sys.exit("never saw %r in %r" % (what, seen))
        seen += os.read(tty, 4096)
os.write(tty, b"PS1='rea''dy> '\n")
until(b"ready> ")
os.write(tty, b". " + script.encode() + b"; echo don''e\n")
until(b"done")
seen = b""
os.write(tty, typed.encode() + b"\t")
until(wanted.encode())
os.write(tty, b"\x03exit\n")
"#;

#[track_caller]
fn completes(script: &Path, typed: &str, wanted: &str) {
    let mut typist = Command::new("python3");
    typist
        .args(["-c", TYPIST])
        .arg(script)
        .args([typed, wanted]);
    typist.env("TERM", "dumb").env("HOME", "/nonexistent");
    Outcome::of(&mut typist).ok();
}

#[test]
fn bash_completes_commands_options_and_values() {
    let sandbox = Sandbox::new();
    let script = Outcome::of(teal().args(["completions", "bash"])).ok();
    let script = sandbox.write("teal.bash", script);
    completes(&script, "teal stat", "teal status ");
    completes(&script, "teal deploy production --det", "--detach ");
    completes(&script, "teal maintenance of", "teal maintenance off ");
    completes(&script, "teal env uns", "teal env unset ");
}

#[test]
fn every_shell_can_read_what_it_is_given() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = Outcome::of(teal().args(["completions", shell])).ok();
        assert!(script.contains("rollback"), "{shell}");
        let file = sandbox.write(format!("teal.{shell}"), script);
        if Command::new(shell).arg("--version").output().is_err() {
            eprintln!("skipped: there is no {shell} here");
            continue;
        }
        let check = if shell == "fish" {
            "--no-execute"
        } else {
            "-n"
        };
        Outcome::of(Command::new(shell).arg(check).arg(file)).ok();
    }
    let unknown = Outcome::of(teal().args(["completions", "tcsh"]));
    assert_eq!(unknown.code, 2);
}

#[test]
fn every_command_has_a_page_that_renders_without_a_warning() {
    let sandbox = Sandbox::new();
    let folder = sandbox.join("man1");
    let said = Outcome::of(teal().arg("man").arg(&folder)).ok();
    assert!(said.contains("pages are in"), "{said}");
    let first = Outcome::of(teal().arg("man")).ok();
    let kept = std::fs::read_to_string(folder.join("teal.1")).unwrap();
    assert_eq!(first, kept);
    for name in ["teal-status.1", "teal-env-set.1", "teal-user-token-add.1"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    if Command::new("groff").arg("--version").output().is_err() {
        eprintln!("skipped: there is no groff here");
        return;
    }
    for page in std::fs::read_dir(&folder).unwrap() {
        let mut groff = Command::new("groff");
        groff.args(["-man", "-ww", "-Tutf8", "-rLL=78n"]);
        let shown = Outcome::of(groff.arg(page.unwrap().path()));
        assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    }
}
