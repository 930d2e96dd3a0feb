use super::{wrong, wrong_app, wrong_env};
use insta::assert_snapshot;

#[test]
fn unknown_keys_name_the_nearest_right_one() {
    assert_snapshot!(wrong("lisen = '127.0.0.1:1'"), @r"
    teal.toml:1:1: unknown key `lisen`
      |
    1 | lisen = …
      | ^^^^^ did you mean `listen`?
    ");
    assert_snapshot!(wrong("listen = '127.0.0.1:1'\nbranch = 'main'"), @r"
    teal.toml:2:1: unknown key `branch`
      |
    2 | branch = …
      | ^^^^^^ `branch` belongs in [apps.<app>.environments.<environment>]
    ");
    assert_snapshot!(wrong_env("brnch = 'main'"), @r"
    teal.toml:2:1: unknown key `brnch` in [apps.arq.environments.production]
      |
    2 | brnch = …
      | ^^^^^ did you mean `branch`?
    ");
    assert_snapshot!(wrong_env("keep-warm = '10m'"), @r"
    teal.toml:2:1: unknown key `keep-warm` in [apps.arq.environments.production]
      |
    2 | keep-warm = …
      | ^^^^^^^^^ did you mean `keep_warm`?
    ");
    assert_snapshot!(wrong_env("ports = { blue = 3001, gren = 3002 }"), @r"
    teal.toml:2:24: unknown key `gren` in [apps.arq.environments.production.ports]
      |
    2 | ports = { blue = 3001, gren = …
      |                        ^^^^ did you mean `green`?
    ");
    assert_snapshot!(wrong_env("zzz = 1"), @r"
    teal.toml:2:1: unknown key `zzz` in [apps.arq.environments.production]
      |
    2 | zzz = …
      | ^^^ known here: branch, tag, root, ports, domain, domains, redirect, mode, on_push, drain, drain_websockets, hold, keep_warm, observe, backups, backups_size, reconcile, triggers, after, deploy_hours, approval, allow, run_as, limits
    ");
    assert_snapshot!(wrong_app("webhook_sekret = 'hunter2'"), @r"
    teal.toml:2:1: unknown key `webhook_sekret` in [apps.arq]
      |
    2 | webhook_sekret = …
      | ^^^^^^^^^^^^^^ did you mean `webhook_secret`?
    ");
    assert_snapshot!(wrong("[proxy]\nkind = 'nginx'\nconfdir = '/x'"), @r"
    teal.toml:3:1: unknown key `confdir` in [proxy]
      |
    3 | confdir = …
      | ^^^^^^^ did you mean `conf_dir`?
    ");
    assert_snapshot!(wrong("\"a\\u001b[31m\" = 1"), @r#"
    teal.toml:1:1: unknown key `a�[31m`
      |
    1 | "a\u001b[31m" = …
      | ^^^^^^^^^^^^^ known here: state_dir, apps_dir, listen, public_url, public_page, ssh_host, build_slots, reconcile, log, traces, proxy, apps, people, notify
    "#);
}

#[test]
fn hours_that_nobody_keeps_are_pointed_at() {
    assert_snapshot!(wrong_env("deploy_hours = ['Mon 09:00-17:00', 'Fri 9-12 UTC']"), @r"
    teal.toml:2:36: `deploy_hours` has the hours `9-12`: write them as 09:00-17:00, the later one second (24:00 is midnight)
      |
    2 | deploy_hours = ['Mon 09:00-17:00', 'Fri 9-12 UTC']
      |                                    ^^^^^^^^^^^^^^
    ");
    assert_snapshot!(wrong_env("deploy_hours = 'Mon 09:00-17:00 Berlin'"), @r"
    teal.toml:2:16: `deploy_hours` names a time zone `Berlin` that nobody knows: write it as Europe/Berlin or UTC
      |
    2 | deploy_hours = 'Mon 09:00-17:00 Berlin'
      |                ^^^^^^^^^^^^^^^^^^^^^^^^
    ");
}

#[test]
fn wrong_types_and_values_are_pointed_at() {
    assert_snapshot!(wrong("build_slots = 'two'"), @r"
    teal.toml:1:15: `build_slots` must be a whole number, not a string
      |
    1 | build_slots = 'two'
      |               ^^^^^
    ");
    assert_snapshot!(wrong("build_slots = 0"), @r"
    teal.toml:1:15: `build_slots` must be between 1 and 64
      |
    1 | build_slots = 0
      |               ^
    ");
    assert_snapshot!(wrong("apps = 3"), @r"
    teal.toml:1:8: `apps` must be a table, not a number
      |
    1 | apps = 3
      |        ^
    ");
    assert_snapshot!(wrong("listen = 'localhost:9000'"), @r#"
    teal.toml:1:10: "localhost:9000" is not an address and a port
      |
    1 | listen = 'localhost:9000'
      |          ^^^^^^^^^^^^^^^^ write it as "127.0.0.1:9000" or "[::1]:9000"
    "#);
    assert_snapshot!(wrong("state_dir = 'state'"), @r"
    teal.toml:1:13: `state_dir` must be an absolute path
      |
    1 | state_dir = 'state'
      |             ^^^^^^^
    ");
    assert_snapshot!(wrong("public_url = 'deploy.example.com'"), @r#"
    teal.toml:1:14: `public_url` is not a web address
      |
    1 | public_url = 'deploy.example.com'
      |              ^^^^^^^^^^^^^^^^^^^^ write "https://deploy.example.com"
    "#);
    assert_snapshot!(wrong_env("drain = 30"), @r#"
    teal.toml:2:9: `drain` must be a duration, not a number
      |
    2 | drain = 30
      |         ^^ a number with its unit: "500ms", "30s", "10m", "2h" or "1d"
    "#);
    assert_snapshot!(wrong_env("drain = '30 seconds'"), @r#"
    teal.toml:2:9: `drain`: "30 seconds" is not a duration
      |
    2 | drain = '30 seconds'
      |         ^^^^^^^^^^^^ a number with its unit: "500ms", "30s", "10m", "2h" or "1d"
    "#);
    assert_snapshot!(wrong_env("mode = 'ful'"), @r#"
    teal.toml:2:8: `mode` cannot be "ful"
      |
    2 | mode = 'ful'
      |        ^^^^^ did you mean "full"?
    "#);
    assert_snapshot!(wrong_env("on_push = 'nothing'"), @r#"
    teal.toml:2:11: `on_push` cannot be "nothing"
      |
    2 | on_push = 'nothing'
      |           ^^^^^^^^^ one of: report, gate
    "#);
    assert_snapshot!(wrong_env("ports = { blue = 3001 }"), @r"
    teal.toml:2:9: `ports` has no `green`
      |
    2 | ports = { blue = 3001 }
      |         ^^^^^^^^^^^^^^^ write `ports = { blue = 3001, green = 3002 }`
    ");
    assert_snapshot!(wrong_env("ports = { blue = 3001, green = 70000 }"), @r"
    teal.toml:2:32: `green` must be between 1 and 65535
      |
    2 | ports = { blue = 3001, green = 70000 }
      |                                ^^^^^
    ");
    assert_snapshot!(wrong_env("backups = 0"), @r"
    teal.toml:2:11: `backups` must be between 1 and 1000
      |
    2 | backups = 0
      |           ^
    ");
    assert_snapshot!(wrong("listen = \n"), @r"
    teal.toml:1:10: string values must be quoted, expected literal string
      |
    1 | listen =
      |        ^
    ");
    assert_snapshot!(wrong("listen = '127.0.0.1:1'\nlisten = '127.0.0.1:1'"), @r"
    teal.toml:2:1: duplicate key
      |
    2 | listen …
      | ^^^^^^
    ");
}

#[test]
fn names_and_refs_are_checked() {
    assert_snapshot!(wrong("[apps.\"../x\".environments.production]"), @r#"
    teal.toml:1:7: `../x` cannot be a name here: use 1 to 40 lower-case letters, digits and `-`, starting with a letter or digit
      |
    1 | [apps."../x".environments.production]
      |       ^^^^^^
    "#);
    assert_snapshot!(wrong("[apps.arq.environments.Production]"), @r"
    teal.toml:1:24: `Production` cannot be a name here: use 1 to 40 lower-case letters, digits and `-`, starting with a letter or digit
      |
    1 | [apps.arq.environments.Production]
      |                        ^^^^^^^^^^
    ");
    assert_snapshot!(wrong("[apps.arq]\n"), @r"
    teal.toml:1:7: app `arq` has no environment
      |
    1 | [apps.arq]
      |       ^^^ add [apps.arq.environments.production]
    ");
    assert_snapshot!(wrong("[apps.arq.environments.staging]\n"), @r#"
    teal.toml:1:1: no ref maps to `staging`: `branch` is missing
      |
    1 | [apps.arq.environments.staging]
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ add `branch = "…"` (a name or a pattern) or `tag = "v*"`
    "#);
    assert_snapshot!(wrong_env("branch = 'refs/heads/main'"), @r#"
    teal.toml:2:10: `branch` "refs/heads/main" is a full ref name: leave `refs/heads/` or `refs/tags/` out
      |
    2 | branch = 'refs/heads/main'
      |          ^^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(wrong_env("branch = ['main', 'a b']"), @r#"
    teal.toml:2:19: `branch` "a b" may not have ` ` in it
      |
    2 | branch = ['main', 'a b']
      |                   ^^^^^
    "#);
    assert_snapshot!(wrong_env("tag = 'v[1'"), @r#"
    teal.toml:2:7: `tag` "v[1" is not a pattern: unclosed character class; missing ']'
      |
    2 | tag = 'v[1'
      |       ^^^^^
    "#);
    for bad in [
        "", "-x", "a..b", "a//b", "a/", "/a", ".a", "a/.b", "a.lock", "a~1", "a:b", "a@{1}",
        "a\\nb",
    ] {
        wrong_env(&format!("branch = \"{bad}\""));
    }
}

#[test]
fn a_log_of_an_unknown_kind_and_traces_without_an_address_are_refused() {
    let log = wrong("log = \"xml\"");
    assert!(
        log.contains("teal.toml:1:7") && log.contains("json"),
        "{log}"
    );
    let nowhere = wrong("traces = { }");
    assert!(nowhere.contains("`traces` needs `url`"), "{nowhere}");
    assert!(nowhere.contains("http://127.0.0.1:4318"), "{nowhere}");
    let odd = wrong("traces = { url = \"collector\" }");
    assert!(odd.contains("is not a web address"), "{odd}");
    let bare = wrong("traces = { url = \"http://c\", token = \"s3cret\" }");
    assert!(!bare.contains("s3cret"), "{bare}");
}
