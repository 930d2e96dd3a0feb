//! Repositories that mean harm: links that lead outside, programs that git would run, outputs that are no outputs, builds that
//! look around. Nothing outside the slot is read, written or removed, and nothing runs that the recipe does not name.

use crate::harness::{App, Teal};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

const HOST: &str = "production.shop.test";

fn live() -> (Teal, App) {
    let teal = Teal::shop();
    let app = teal.client("shop");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    (teal, app)
}

#[test]
fn links_lead_nowhere() {
    let (teal, app) = live();
    let outside = teal.sandbox.write("outside/kept", "untouched");
    let folder = outside.parent().unwrap();
    // One by one: each is either carried as the link that it is, or refused, and never followed.
    for (nth, (name, target)) in [
        ("dist", folder.display().to_string()),
        ("dist", "../green".to_owned()),
        ("dist", "../../../..".to_owned()),
        ("uploads", folder.display().to_string()),
        ("deep", "/etc".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let _ = fs::remove_file(app.path().join(name));
        symlink(&target, app.path().join(name)).unwrap();
        app.recipe(
            "[build]\nbuild = \"true\"\noutputs = [\"dist\"]\n[run]\nweb = \"exec python3 -u app.py\"\nshared = [\"uploads\"]",
        );
        let version = format!("v{}", nth + 2);
        app.version(&version);
        let pushed = app.git().push(["production", "main"]);
        assert_eq!(pushed.code, 0, "{}", pushed.stderr);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "{target}");
        assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
        assert!(fs::metadata("/etc/hostname").is_ok());
        assert!(teal.serves(HOST).starts_with('v'), "{}", pushed.stderr);
        // Neither does a sealed copy hold what a link leads to.
        let backups = teal.root("shop", "production").join(".backups");
        let found = Command::new("find")
            .arg(&backups)
            .args(["-name", "kept"])
            .output();
        assert_eq!(
            String::from_utf8_lossy(&found.unwrap().stdout),
            "",
            "{target}"
        );
        fs::remove_file(app.path().join(name)).unwrap();
    }
}

#[test]
fn a_name_that_no_file_can_have_is_refused_and_forgotten() {
    let (teal, app) = live();
    let git = app.git();
    let blob = git.run(["hash-object", "-w", "version.txt"]).ok();
    let name = "long".repeat(100);
    let entry = format!("100644,{},{name}", blob.trim());
    git.run(["update-index", "--add", "--cacheinfo", &entry])
        .ok();
    let tree = git.run(["write-tree"]).ok();
    let words = ["commit-tree", tree.trim(), "-p", "HEAD", "-m", "long"];
    let commit = git.run(words).ok();
    git.run(["update-index", "--force-remove", &name]).ok();
    let pushed = git.push(["production", &format!("{}:main", commit.trim())]);
    let refused = "FAILED at checkout: the commit has the name";
    assert!(pushed.stderr.contains(refused), "{}", pushed.stderr);
    assert_eq!(teal.serves(HOST), "v1");
    // Whoever comes next does not suffer from it.
    app.version("v2");
    let pushed = git.push(["--force", "production", "main"]);
    assert_eq!(teal.serves(HOST), "v2", "{}", pushed.stderr);
}

#[test]
fn a_file_where_an_output_folder_is_expected() {
    let (teal, app) = live();
    let build = "rm -rf dist; echo this is no folder > dist";
    app.recipe(&format!(
        "[build]\nbuild = \"{build}\"\noutputs = [\"dist\"]"
    ));
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert!(
        ["v1", "v2"].contains(&teal.serves(HOST).as_str()),
        "{}",
        pushed.stderr
    );
    app.recipe(
        "[build]\nbuild = \"rm -rf dist; mkdir dist; echo yes > dist/x\"\noutputs = [\"dist\"]",
    );
    app.version("v3");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v3", "{}", pushed.stderr);
}

#[test]
fn nothing_of_it_runs() {
    let (teal, app) = live();
    let trap = teal.sandbox.join("sprung").display().to_string();
    let spring = format!("touch {trap}");
    let git = app.git();
    git.write(
        ".gitmodules",
        format!(
            "[submodule \"x\"]\n\tpath = x\n\turl = ext::sh -c {spring}\n\tupdate = !{spring}\n"
        ),
    );
    git.write(
        ".gitattributes",
        "* filter=evil\n*.bin filter=lfs diff=lfs merge=lfs -text\n",
    );
    git.write(
        ".gitconfig",
        format!("[filter \"evil\"]\n\tsmudge = {spring}\n\tclean = {spring}\n[core]\n\tfsmonitor = {spring}\n\thooksPath = hooks\n"),
    );
    git.write(".lfsconfig", "[lfs]\n\turl = http://127.0.0.1:9/\n");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    git.write("big.bin", pointer);
    for hook in ["post-checkout", "post-merge", "pre-receive", "update"] {
        for folder in ["hooks", "bare.git/hooks", ".githooks"] {
            git.write(
                &format!("{folder}/{hook}"),
                format!("#!/bin/sh\n{spring}\n"),
            );
        }
    }
    git.write("bare.git/HEAD", "ref: refs/heads/main\n");
    git.write(
        "bare.git/config",
        format!("[core]\n\tbare = true\n\tfsmonitor = {spring}\n"),
    );
    git.write("bare.git/objects/x", "")
        .write("bare.git/refs/x", "");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    // git's own check may refuse the whole push: then nothing of it arrives at all.
    let refused = pushed.stderr.contains("gitmodules");
    let serves = teal.serves(HOST);
    assert!(
        serves == "v2" || (serves == "v1" && refused),
        "{}",
        pushed.stderr
    );
    assert!(!fs::exists(&trap).unwrap(), "{}", pushed.stderr);
    fs::remove_file(app.path().join(".gitmodules")).unwrap();
    app.git().run(["reset", "--soft", "HEAD~1"]).ok();
    app.version("v3");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v3", "{}", pushed.stderr);
    assert!(!fs::exists(&trap).unwrap());
    let slot = teal.root("shop", "production").join("current/big.bin");
    assert_eq!(
        fs::read_to_string(slot).unwrap(),
        pointer,
        "carried as it is"
    );
}

#[test]
fn outputs_that_are_no_files_are_not_kept() {
    let (teal, app) = live();
    let build = "mkdir -p dist && cp /bin/true dist/tool && chmod 6755 dist/tool && mkfifo dist/pipe \
                 && python3 -c \\\"import socket; socket.socket(socket.AF_UNIX).bind('dist/socket')\\\"";
    app.recipe(&format!(
        "[build]\nbuild = \"{build}\"\noutputs = [\"dist\"]"
    ));
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v2", "{}", pushed.stderr);
    let kept = teal.root("shop", "production").join(".backups");
    let odd = ["-type", "p", "-o", "-type", "s", "-o", "-perm", "/6000"];
    let found = Command::new("find").arg(&kept).args(odd).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
    // The backup comes back without them.
    app.recipe("");
    for version in ["v3", "v4"] {
        app.version(version);
        assert_eq!(app.git().push(["production", "main"]).code, 0);
    }
    teal.cli(["rollback", "production", "--to", "2"]).ok();
    assert_eq!(teal.serves(HOST), "v2");
    let tool = teal.root("shop", "production").join("current/dist/tool");
    assert_eq!(fs::metadata(tool).unwrap().mode() & 0o6000, 0);
}

#[test]
fn a_build_sees_nothing_of_the_servers() {
    let mut teal = Teal::plan()
        .environment("shop", "production", "")
        .variable("FORGE_SECRET", "hunter2-of-the-server")
        .init(crate::harness::Sandbox::new());
    teal.serve();
    let app = teal.client("shop");
    app.recipe("[build]\ninstall = \"env; cat /proc/$PPID/environ | tr '\\\\0' '\\\\n'; ls -l /proc/$$/fd\"");
    app.version("v1");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(teal.serves(HOST), "v1", "{}", pushed.stderr);
    let logs = teal.cli(["logs", "1"]).ok();
    assert!(logs.contains("TEAL_COMMIT="), "{logs}");
    assert!(!logs.contains("hunter2"), "{logs}");
    // No file of the server's is open in it either: not the database, not a socket of Teal's.
    assert!(
        !logs.contains("teal.db") && !logs.contains("teal.sock"),
        "{logs}"
    );
}

#[test]
fn a_commit_message_is_text() {
    let (teal, app) = live();
    let message = format!(
        "\u{1b}[2J\u{1b}]0;owned\u{7}<!channel> @everyone \u{202e}gnp.exe <b>x</b> {}",
        "long ".repeat(20_000)
    );
    app.git().write("version.txt", "v2\n");
    let file = teal.sandbox.write("message", message);
    app.git().run(["add", "--all"]).ok();
    let file = file.display().to_string();
    app.git().run(["commit", "--quiet", "--file", &file]).ok();
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    let page = teal.ask("GET", "/", "").body;
    let log =
        fs::read_to_string(teal.root("shop", "production").join("shared/deploy.log")).unwrap();
    for text in [
        pushed.stderr,
        teal.cli(["status"]).ok(),
        teal.cli(["history"]).ok(),
        page.clone(),
        log,
    ] {
        // git itself ends its lines with an escape on the pusher's terminal.
        let text = text.replace("\u{1b}[K", "");
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{202e}'),
            "{text:?}"
        );
        assert!(
            !text.contains("long ".repeat(100).as_str()),
            "it is cut to size"
        );
    }
    assert!(!page.contains("<b>x</b>"), "{page}");
    assert_eq!(teal.serves(HOST), "v2");
}

#[test]
fn what_a_build_prints_is_text() {
    let (teal, app) = live();
    let noise = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gnp.exe\r\u{9b}31m <b>x</b> 100%n $(id)\n";
    app.git().write("noise.txt", noise);
    app.recipe("[build]\nbuild = \"cat noise.txt; printf '\\\\377\\\\376 not UTF-8\\\\n'; head -c 300000 /dev/zero | tr '\\\\0' x; echo; cat noise.txt >&2; exit 3\"");
    app.version("v2");
    let pushed = app.git().push(["production", "main"]);
    assert!(
        pushed.stderr.contains("FAILED at build"),
        "{}",
        pushed.stderr
    );
    assert!(pushed.stderr.len() < 20_000, "{}", pushed.stderr.len());
    let log =
        fs::read_to_string(teal.root("shop", "production").join("shared/deploy.log")).unwrap();
    let history = teal.json(["history"]).to_string();
    for text in [pushed.stderr, teal.cli(["history"]).ok(), log, history] {
        // git itself ends its lines with an escape on the pusher's terminal.
        let text = text.replace("\u{1b}[K", "");
        for bad in ['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}'] {
            assert!(!text.contains(bad), "{bad:?} is in {text:?}");
        }
    }
    assert_eq!(teal.serves(HOST), "v1");
}
