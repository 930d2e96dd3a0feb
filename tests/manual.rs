//! What shells and `man` are given: a real bash completes what is typed, and the pages render.

use crate::harness::{Outcome, Sandbox};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn teal() -> Command {
    Command::new(env!("CARGO_BIN_EXE_teal"))
}

/// Types into an interactive shell behind a terminal, presses Tab, and waits until the line shows what it should.
const TYPIST: &str = r#"
import os, pty, select, sys, time
setup, typed, wanted, *shell = sys.argv[1:]
pid, tty = pty.fork()
if pid == 0:
    os.execvp(shell[0], shell)
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
os.write(tty, setup.encode() + b"; echo don''e\n")
until(b"done")
seen = b""
os.write(tty, typed.encode() + b"\t")
until(wanted.encode())
os.write(tty, b"\x03exit\n")
"#;

/// Whether the shell, set up by this line, completes what is typed to what is wanted.
#[track_caller]
fn completes(sandbox: &Sandbox, shell: &[&str], setup: &str, typed: &str, wanted: &str) {
    let Some(mut typist) = beside_teal(sandbox, "python3") else {
        return;
    };
    typist
        .args(["-c", TYPIST, setup, typed, wanted])
        .args(shell);
    Outcome::of(&mut typist).ok();
}

/// A folder with `teal` in it, and a configuration that is found there.
fn server() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "teal.toml",
        "[apps.shop.environments.production]\n[apps.shop.environments.staging]\nbranch = \"develop\"\n\
         [apps.blog.environments.production]\n",
    );
    sandbox
}

fn script(sandbox: &Sandbox, shell: &str) -> PathBuf {
    let script = Outcome::of(teal().args(["completions", shell])).ok();
    // zsh reads a file of that name when it is needed first.
    let name = if shell == "zsh" {
        "_teal".to_owned()
    } else {
        format!("teal.{shell}")
    };
    sandbox.write(name, script)
}

/// The program, where `teal` is this one, in the folder of the configuration; nothing where it is not installed.
fn beside_teal(sandbox: &Sandbox, name: &str) -> Option<Command> {
    if Command::new(name).arg("--version").output().is_err() {
        eprintln!("skipped: there is no {name} here");
        return None;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_teal"));
    let own = program.parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new(name);
    shell
        .env("PATH", format!("{own}:{path}"))
        .env("HOME", sandbox.path())
        .env("TERM", "dumb")
        .current_dir(sandbox.path());
    Some(shell)
}

/// What is offered after these words, the last of which is being typed.
fn offered(sandbox: &Sandbox, shell: &str, words: &[&str]) -> BTreeSet<String> {
    let variables = [
        ("TEAL_COMPLETE", shell.to_owned()),
        ("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string()),
        ("_CLAP_IFS", "\n".to_owned()),
    ];
    let mut asked = teal();
    asked.arg("--").args(words).envs(variables);
    let said = Outcome::of(asked.current_dir(sandbox.path())).ok();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn environments_are_completed_by_the_shortest_name_that_tells_them() {
    let sandbox = server();
    let of = |words: &[&str]| {
        let mut offered = offered(&sandbox, "bash", words);
        offered.retain(|word| !word.starts_with('-'));
        offered.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        of(&["teal", "deploy", ""]),
        "blog/production shop/production staging"
    );
    assert_eq!(of(&["teal", "deploy", "shop/s"]), "shop/staging");
    assert_eq!(of(&["teal", "promote", "staging", "b"]), "blog/production");
    assert_eq!(of(&["teal", "status", "--app", ""]), "blog shop");
    assert_eq!(of(&["teal", "user", "add", "ann", "--role", "l"]), "look");
    assert_eq!(of(&["teal", "completions", ""]), "bash fish zsh");
    std::fs::remove_file(sandbox.join("teal.toml")).unwrap();
    assert_eq!(of(&["teal", "deploy", "st"]), "");
}

#[test]
fn bash_completes_commands_options_and_environments() {
    let sandbox = server();
    let setup = format!(". {}", script(&sandbox, "bash").display());
    let bash = ["bash", "--norc", "--noprofile", "-i"];
    for (typed, wanted) in [
        ("teal stat", "teal status "),
        ("teal deploy production --det", "--detach "),
        ("teal maintenance of", "teal maintenance off "),
        ("teal env uns", "teal env unset "),
        ("teal deploy st", "teal deploy staging "),
    ] {
        completes(&sandbox, &bash, &setup, typed, wanted);
    }
}

#[test]
fn zsh_completes_from_its_first_tab_on() {
    let sandbox = server();
    script(&sandbox, "zsh");
    if beside_teal(&sandbox, "zsh").is_none() {
        return;
    }
    // It finds the file by its name, as it does where the README puts it.
    let folder = sandbox.path().display();
    let setup = format!("fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D");
    for (typed, wanted) in [
        ("teal roll", "back "),
        ("teal deploy st", "aging "),
        ("teal deploy staging --fa", "--fast "),
    ] {
        completes(&sandbox, &["zsh", "-f", "-i"], &setup, typed, wanted);
    }
}

#[test]
fn fish_completes_commands_options_and_environments() {
    let sandbox = server();
    let file = script(&sandbox, "fish");
    let Some(mut fish) = beside_teal(&sandbox, "fish") else {
        return;
    };
    let typed = ["ro", "deploy st", "deploy staging --fa", "maintenance o"];
    let asks = typed.map(|typed| format!("complete -C 'teal {typed}'"));
    let line = format!("source {}; {}", file.display(), asks.join("; "));
    let said = Outcome::of(fish.args(["--no-config", "-c", &line])).ok();
    let words: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(words, ["rollback", "staging", "--fast", "on", "off"]);
}

#[test]
fn every_shell_can_read_what_it_is_given() {
    let sandbox = Sandbox::new();
    for name in ["bash", "zsh", "fish"] {
        let file = script(&sandbox, name);
        let Some(mut shell) = beside_teal(&sandbox, name) else {
            continue;
        };
        let check = if name == "fish" { "--no-execute" } else { "-n" };
        Outcome::of(shell.arg(check).arg(file)).ok();
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
