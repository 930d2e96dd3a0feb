use super::wrong_app;
use crate::config::*;
use insta::assert_snapshot;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn remotes_that_could_run_something_are_refused() {
    assert_snapshot!(wrong_app("repo = 'ext::sh -c id'"), @r"
    teal.toml:2:1: `repo` has a space, a backslash or a control character in it
      |
    2 | repo = …
      | ^^^^
    ");
    assert_snapshot!(wrong_app("repo = 'ext::sh'"), @r"
    teal.toml:2:1: `repo` names a git remote helper (`…::`), which can run any program
      |
    2 | repo = …
      | ^^^^
    ");
    assert_snapshot!(wrong_app("repo = 'file:///srv/x.git'"), @r"
    teal.toml:2:1: `repo` is not an address that Teal fetches from: use https://, http://, ssh:// or git@host:path
      |
    2 | repo = …
      | ^^^^
    ");
    assert_snapshot!(wrong_app("repo = 'ssh://-oProxyCommand=id/x'"), @r"
    teal.toml:2:1: `repo` has a host that starts with `-`: ssh would take it for an option
      |
    2 | repo = …
      | ^^^^
    ");
    assert_snapshot!(wrong_app("repo = 'https://ann:hunter2@example.com/x.git'"), @r#"
    teal.toml:2:1: `repo` has credentials in it: give them as `token = { file = "…" }`
      |
    2 | repo = …
      | ^^^^
    "#);
}

#[test]
fn secrets_are_never_written_out_and_never_repeated() {
    let app = |key: &str| {
        wrong_app(&format!(
            "forge='github'\nrepo='https://x.y/z'\nwebhook_secret={key}"
        ))
    };
    assert_snapshot!(app("'hunter2'"), @r#"
    teal.toml:4:1: `webhook_secret` may not be written into this file
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^ write `webhook_secret = { env = "NAME" }` or `webhook_secret = { file = "path" }`
    "#);
    assert_snapshot!(app("['hunter2']"), @r#"
    teal.toml:4:1: `webhook_secret` may not be written into this file
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^ write `webhook_secret = { env = "NAME" }` or `webhook_secret = { file = "path" }`
    "#);
    assert_snapshot!(app("'''hunter2'''"), @r#"
    teal.toml:4:1: `webhook_secret` may not be written into this file
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^ write `webhook_secret = { env = "NAME" }` or `webhook_secret = { file = "path" }`
    "#);
    assert_snapshot!(app("{ value = 'hunter2' }"), @r"
    teal.toml:4:18: unknown key `value` in [apps.arq.webhook_secret]
      |
    4 | webhook_secret= …
      |                  ^ known here: env, file
    ");
    assert_snapshot!(app("{ env = 'hunter2 !' }"), @r"
    teal.toml:4:1: `env` of `webhook_secret` is not the name of a variable
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^
    ");
    assert_snapshot!(app("{ env = 'UNSET' }"), @r"
    teal.toml:4:1: the environment variable UNSET is not set
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^ `webhook_secret` is taken from it
    ");
    assert_snapshot!(app("{ env = 'EMPTY' }"), @r"
    teal.toml:4:1: the environment variable EMPTY is empty
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^
    ");
    assert_snapshot!(app("{}"), @r#"
    teal.toml:4:1: `webhook_secret` needs either `env` or `file`
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^ write `webhook_secret = { env = "NAME" }` or `webhook_secret = { file = "path" }`
    "#);
    assert_snapshot!(app("{ file = '/nowhere/at/all' }"), @r"
    teal.toml:4:1: cannot read /nowhere/at/all: No such file or directory (os error 2)
      |
    4 | webhook_secret= …
      | ^^^^^^^^^^^^^^
    ");
    assert_snapshot!(app("hunter2"), @r"
    teal.toml:4:16: string values must be quoted, expected literal string
      |
    4 | webhook_secret= …
      |                ^^
    ");
    assert_snapshot!(app("\"hunter2"), @r#"
    teal.toml:4:24: invalid basic string, expected `"`
      |
    4 | webhook_secret= …
      |                 ^
    "#);
    assert_snapshot!(app("\"\"\"\nhunter2 \\q\n\"\"\""), @r#"
    teal.toml:5:10: missing escaped value, expected `b`, `e`, `f`, `n`, `r`, `\`, `"`, `x`, `u`, `U`
      |
    5 | …
      | ^
    "#);
}

#[test]
fn secret_files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("hook");
    fs::write(&secret, "from a file\n").unwrap();
    let file = dir.path().join("teal.toml");
    let text = "[apps.a]\nforge='gitlab'\nrepo='git@h:x'\nwebhook_secret = { file = 'hook' }\nssh_key = { file = 'hook' }\n[apps.a.environments.production]\n";
    fs::write(&file, text).unwrap();
    let set = |mode| fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
    set(0o600);
    let server = Server::load(Some(&file)).unwrap();
    let app = server.apps.values().next().unwrap();
    assert_eq!(app.webhook_secret.as_ref().unwrap().expose(), "from a file");
    assert!(matches!(&app.credentials, Credentials::SshKey(path) if *path == secret));
    set(0o640);
    let message = Server::load(Some(&file)).unwrap_err().to_string();
    let message = message.replace(&dir.path().display().to_string(), "/etc/teal");
    assert_snapshot!(message, @r"
    /etc/teal/teal.toml:4:1: /etc/teal/hook is open to others (mode 0640)
      |
    4 | webhook_secret = …
      | ^^^^^^^^^^^^^^ run: chmod 600 /etc/teal/hook
    ");
    set(0o600);
    fs::write(&secret, "\n\n").unwrap();
    assert!(
        Server::load(Some(&file))
            .unwrap_err()
            .to_string()
            .contains("is empty")
    );
    fs::write(&secret, "two\nlines").unwrap();
    assert!(
        Server::load(Some(&file))
            .unwrap_err()
            .to_string()
            .contains("more than one line")
    );
    let missing = dir.path().join("other.toml");
    let message = Server::load(Some(&missing)).unwrap_err().to_string();
    assert!(
        message.starts_with("cannot read ") && message.contains("other.toml"),
        "{message}"
    );
}
