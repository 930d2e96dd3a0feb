use super::*;
use crate::domain::{Color, EnvId, Mode};
use insta::assert_snapshot;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

fn env(name: &str) -> Option<String> {
    match name {
        "HOOK" => Some("s3cret\n".to_owned()),
        "EMPTY" => Some("\n".to_owned()),
        "HOME" => Some("/home/ann".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Server, ConfigError> {
    Server::parse(text, Path::new("teal.toml"), &env)
}

fn good(text: &str) -> Server {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The message about a file, which must never have the secret in it.
fn wrong(text: &str) -> String {
    let message = parse(text).unwrap_err().to_string();
    assert!(!message.contains("hunter2"), "{message}");
    message
}

/// The message about these keys of an app's production environment.
fn wrong_env(keys: &str) -> String {
    wrong(&format!("[apps.arq.environments.production]\n{keys}\n"))
}

/// The message about these keys of an app.
fn wrong_app(keys: &str) -> String {
    wrong(&format!(
        "[apps.arq]\n{keys}\n[apps.arq.environments.production]\n"
    ))
}

fn id(text: &str) -> EnvId {
    text.parse().unwrap()
}

#[test]
fn an_environment_needs_nothing_but_its_name() {
    let server = good("state_dir = '/state'\n[apps.arq.environments.production]\n");
    let env = server.environment(&id("arq/production")).unwrap();
    assert_eq!(env.refs, [RefRule::Branch("main".to_owned())]);
    assert_eq!(env.root, Path::new("/srv/arq"));
    assert_eq!((env.ports.blue, env.ports.green), (3001, 3002));
    assert_eq!(
        (env.mode, env.on_push, env.backups),
        (Mode::Fast, OnPush::Report, 5)
    );
    let seconds = [
        env.drain,
        env.drain_websockets,
        env.hold,
        env.keep_warm,
        env.observe,
        env.reconcile,
    ];
    assert_eq!(seconds.map(|d| d.as_secs()), [30, 60, 10, 600, 30, 300]);
    assert!(env.domains.is_empty() && env.redirects.is_empty());
    assert_eq!(server.listen.to_string(), "127.0.0.1:9000");
    assert_eq!(server.public_url, "http://127.0.0.1:9000");
    assert_eq!((server.build_slots, server.ssh_host), (1, None));
    assert!(
        matches!(server.proxy, Proxy::Embedded { listen } if listen[0].to_string() == "0.0.0.0:80")
    );
}

#[test]
fn every_key_is_read() {
    let server = good(
        r#"
        state_dir = "/state/"
        apps_dir = "/apps"
        listen = "127.0.0.1:9001"
        public_url = "https://deploy.example.com/"
        ssh_host = "Git.Example.com"
        build_slots = 3
        reconcile = "1h"
        [proxy]
        kind = "nginx"
        conf_dir = "/etc/nginx/teal"
        command = ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"]
        listen = "0.0.0.0:80"
        verify = "127.0.0.1:9078"
        [apps.arq]
        forge = "gitea"
        repo = "https://git.example.com/arq/arq.git"
        webhook_secret = { env = "HOOK" }
        token = { env = "HOOK" }
        [apps.arq.environments.production]
        branch = ["main", "release/**"]
        tag = "v*"
        ports = { blue = 4001, green = 4002 }
        domains = ["Example.com", "www.example.com"]
        redirect = { "old.example.com" = "example.com" }
        mode = "full"
        on_push = "gate"
        drain = "5s"
        drain_websockets = "6s"
        hold = "7s"
        keep_warm = "8m"
        observe = "9s"
        backups = 2
        reconcile = "0s"
        [apps.arq.environments.staging]
        branch = "develop"
        domain = "staging.example.com"
        redirect = ["test.example.com"]
        "#,
    );
    assert_eq!(server.state_dir, Path::new("/state"));
    assert_eq!(server.public_url, "https://deploy.example.com");
    assert_eq!(server.ssh_host.as_deref(), Some("git.example.com"));
    let Proxy::Nginx(nginx) = &server.proxy else {
        panic!("{:?}", server.proxy)
    };
    assert_eq!((nginx.command.len(), nginx.verify.port()), (3, 9078));
    let app = server.apps.values().next().unwrap();
    assert_eq!(app.webhook_secret.as_ref().unwrap().expose(), "s3cret");
    assert!(matches!(&app.credentials, Credentials::Token(token) if token.expose() == "s3cret"));
    let [production, staging] = &app.environments[..] else {
        panic!("{:?}", app.environments)
    };
    assert_eq!(production.refs.len(), 3);
    assert_eq!(production.domains, ["example.com", "www.example.com"]);
    assert_eq!(
        (
            production.redirects[0].from.as_str(),
            production.redirects[0].to.as_str()
        ),
        ("old.example.com", "example.com")
    );
    assert_eq!(
        (production.mode, production.on_push),
        (Mode::Full, OnPush::Gate)
    );
    assert_eq!(
        (production.reconcile, production.keep_warm),
        (Duration::ZERO, Duration::from_secs(480))
    );
    assert_eq!(staging.root, Path::new("/apps/arq-staging"));
    assert_eq!(staging.reconcile, Duration::from_secs(3600));
    assert_eq!(staging.redirects[0].to, "staging.example.com");
    assert!(!format!("{server:?}").contains("s3cret"));
}

#[test]
fn ports_are_given_in_the_order_of_the_file_around_those_that_are_named() {
    let server = good(
        "[apps.zoo.environments.production]\n[apps.arq.environments.staging]\nbranch='x'\n\
         [apps.bee.environments.production]\nports = { blue = 3004, green = 3010 }\n",
    );
    let ports = |name: &str| server.environment(&id(name)).unwrap().ports;
    assert_eq!(
        (ports("zoo/production").blue, ports("zoo/production").green),
        (3001, 3002)
    );
    assert_eq!(
        (ports("arq/staging").blue, ports("arq/staging").green),
        (3005, 3006)
    );
}

#[test]
fn several_services_of_a_color_take_the_next_ports() {
    let server = good(
        "[apps.a.environments.production]\nports = { blue = 4000, green = 4010 }\n\
         [apps.b.environments.production]\nports = { blue = 65535, green = 5002 }\n",
    );
    let a = id("a/production");
    assert_eq!(
        server.ports(&a, Color::Blue, 3).unwrap(),
        [4000, 4001, 4002]
    );
    assert_eq!(server.ports(&a, Color::Green, 1).unwrap(), [4010]);
    assert_snapshot!(server.ports(&a, Color::Blue, 11).unwrap_err(), @"11 services of a/production need the ports 4000 to 4010, but 4010 belongs to green of a/production; leave room between the ports in teal.toml");
    assert_snapshot!(server.ports(&id("b/production"), Color::Blue, 2).unwrap_err(), @"2 services of b/production do not fit above port 65535");
    assert_snapshot!(server.ports(&id("c/production"), Color::Blue, 1).unwrap_err(), @"there is no environment c/production");
}

#[test]
fn refs_map_by_name_and_by_pattern() {
    let server = good(
        "[apps.a.environments.production]\nbranch = 'main'\ntag = 'v*'\n\
         [apps.a.environments.staging]\nbranch = ['main', 'feature/*']\n\
         [apps.a.environments.every]\nbranch = 'team/**'\n",
    );
    let app = server.apps.values().next().unwrap();
    let names = |name: &str| {
        let envs = app.environments_for(name).into_iter();
        envs.map(|env| env.id.env.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (name, expected) in [
        ("refs/heads/main", "production staging"),
        ("refs/heads/Main", ""),
        ("refs/heads/mainly", ""),
        ("refs/tags/main", ""),
        ("refs/tags/v1.2", "production"),
        ("refs/tags/v1/2", ""),
        ("refs/heads/v1", ""),
        ("refs/heads/feature/x", "staging"),
        ("refs/heads/feature/x/y", ""),
        ("refs/heads/team/x/y", "every"),
        ("refs/notes/main", ""),
        ("main", ""),
        ("", ""),
    ] {
        assert_eq!(names(name), expected, "{name}");
    }
}

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
      | ^^^ known here: branch, tag, root, ports, domain, domains, redirect, mode, on_push, drain, drain_websockets, hold, keep_warm, observe, backups, reconcile
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
      | ^^^^^^^^^^^^^ known here: state_dir, apps_dir, listen, public_url, ssh_host, build_slots, reconcile, proxy, apps
    "#);
}

#[test]
fn keys_without_a_capability_are_not_taken_silently() {
    for key in ["run_as", "allow", "after", "approval", "deploy_hours"] {
        let message = wrong_env(&format!("{key} = 'x'"));
        assert!(
            message.contains(&format!("`{key}` is not supported by this version of Teal")),
            "{message}"
        );
    }
    assert_snapshot!(wrong_env("approval = true"), @r"
    teal.toml:2:1: `approval` is not supported by this version of Teal: take it out, it would protect and tell nobody
      |
    2 | approval = …
      | ^^^^^^^^
    ");
    assert_snapshot!(wrong("[people.ann]\nunix = 'ann'"), @r"
    teal.toml:1:2: `people` is not supported by this version of Teal: take it out, it would protect and tell nobody
      |
    1 | [people.ann]
      |  ^^^^^^
    ");
    assert_snapshot!(wrong("[[notify]]\nurl = 'https://hooks.example.com/hunter2'"), @r"
    teal.toml:1:3: `notify` is not supported by this version of Teal: take it out, it would protect and tell nobody
      |
    1 | [[notify]]
      |   ^^^^^^
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
fn what_belongs_together_is_asked_for() {
    assert_snapshot!(wrong_app("forge = 'github'\nrepo = 'https://x.y/z'"), @r#"
    teal.toml:2:1: a `forge` needs a `webhook_secret`: without it anybody could order deployments
      |
    2 | forge = …
      | ^^^^^ add `webhook_secret = { env = "NAME" }` or `{ file = "path" }`
    "#);
    assert_snapshot!(wrong_app("forge = 'github'\nwebhook_secret = { env = 'HOOK' }"), @r#"
    teal.toml:2:1: app `arq` has a `forge` but no `repo`
      |
    2 | forge = …
      | ^^^^^ add `repo = "https://…"`: webhooks say that something is new, not where it is
    "#);
    assert_snapshot!(wrong_app("webhook_secret = { env = 'HOOK' }"), @r#"
    teal.toml:2:1: `webhook_secret` without `forge`
      |
    2 | webhook_secret = …
      | ^^^^^^^^^^^^^^ add `forge = "github"`, "gitea", "forgejo" or "gitlab"
    "#);
    assert_snapshot!(wrong_app("token = { env = 'HOOK' }"), @r"
    teal.toml:2:1: `token` without `repo`: there is nothing to fetch
      |
    2 | token = …
      | ^^^^^
    ");
    assert_snapshot!(wrong_app("repo='git@h:x'\ntoken = { env = 'HOOK' }\nssh_key = { file = '/k' }"), @r"
    teal.toml:4:1: both `token` and `ssh_key` are given
      |
    4 | ssh_key = …
      | ^^^^^^^ keep the one that `repo` is fetched with
    ");
    assert_snapshot!(wrong_app("repo='https://h/x'\nssh_key = { file = '/k' }"), @r"
    teal.toml:3:1: `ssh_key` is not used with an http address
      |
    3 | ssh_key = …
      | ^^^^^^^ give a `token`, or fetch from git@host:path
    ");
    assert_snapshot!(wrong_app("repo='git@h:x'\nssh_key = { env = 'HOOK' }"), @r#"
    teal.toml:3:1: ssh reads its key from a file only
      |
    3 | ssh_key = …
      | ^^^^^^^ write `ssh_key = { file = "path" }`
    "#);
    assert_snapshot!(wrong_env("domain = 'a.b'\ndomains = ['a.b']"), @r"
    teal.toml:3:1: both `domain` and `domains` are given
      |
    3 | domains = …
      | ^^^^^^^ put all names into `domains`, the main one first
    ");
    assert_snapshot!(wrong_env("redirect = ['a.b']"), @r#"
    teal.toml:2:1: `redirect` without `domain`
      |
    2 | redirect = …
      | ^^^^^^^^ add `domain = "…"`, the name to go to
    "#);
    assert_snapshot!(wrong_env("domain = 'a.b'\nredirect = { 'c.d' = 'e.f' }"), @r"
    teal.toml:3:22: e.f is not one of this environment's domains
      |
    3 | redirect = { 'c.d' = 'e.f' }
      |                      ^^^^^
    ");
    assert_snapshot!(wrong("[proxy]\nconf_dir = '/x'"), @r#"
    teal.toml:2:1: `conf_dir` means something with `kind = "nginx"` only
      |
    2 | conf_dir = …
      | ^^^^^^^^
    "#);
    assert_snapshot!(wrong("[proxy]\nkind = 'nginx'\nverify = '0.0.0.0:9079'"), @r#"
    teal.toml:3:10: `verify` is for Teal's own questions and may only listen on this machine
      |
    3 | verify = '0.0.0.0:9079'
      |          ^^^^^^^^^^^^^^ write "127.0.0.1:9079"
    "#);
    assert_snapshot!(wrong("[proxy]\nkind = 'nginx'\ncommand = []"), @r#"
    teal.toml:3:11: `command` names no program
      |
    3 | command = []
      |           ^^ write ["nginx"]
    "#);
    assert_snapshot!(wrong("[proxy]\nlisten = []"), @r"
    teal.toml:2:10: `listen` is empty: nobody could reach the apps
      |
    2 | listen = []
      |          ^^
    ");
}

#[test]
fn nothing_is_shared_by_two_environments() {
    let two = |first: &str, second: &str| {
        wrong(&format!(
            "state_dir = '/state'\n[apps.a.environments.production]\n{first}\n[apps.b.environments.production]\n{second}\n"
        ))
    };
    assert_snapshot!(two("ports={blue=1,green=2}", "ports={blue=3,green=2}"), @r"
    teal.toml:5:7: port 2 for green belongs to green of a/production already
      |
    5 | ports={blue=3,green=2}
      |       ^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(two("ports={blue=1,green=1}", ""), @r"
    teal.toml:3:7: port 1 for green belongs to blue of a/production already
      |
    3 | ports={blue=1,green=1}
      |       ^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(two("ports={blue=9000,green=1}", ""), @r"
    teal.toml:3:7: port 9000 for blue belongs to `listen` already
      |
    3 | ports={blue=9000,green=1}
      |       ^^^^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(two("ports={blue=80,green=1}", ""), @r"
    teal.toml:3:7: port 80 for blue belongs to the proxy already
      |
    3 | ports={blue=80,green=1}
      |       ^^^^^^^^^^^^^^^^^
    ");
    assert_snapshot!(two("root='/srv/x'", "root='/srv/x/'"), @r"
    teal.toml:5:6: the root of b/production, /srv/x, and the root of a/production (/srv/x) may not contain each other
      |
    5 | root='/srv/x/'
      |      ^^^^^^^^^ give it a `root` of its own
    ");
    assert_snapshot!(two("root='/srv/b/inner'", ""), @r"
    teal.toml:4:22: the root of b/production, /srv/b, and the root of a/production (/srv/b/inner) may not contain each other
      |
    4 | [apps.b.environments.production]
      |                      ^^^^^^^^^^ give it a `root` of its own
    ");
    assert_snapshot!(two("root='/state/a'", ""), @r"
    teal.toml:3:6: the root of a/production, /state/a, and `state_dir` (/state) may not contain each other
      |
    3 | root='/state/a'
      |      ^^^^^^^^^^ give it a `root` of its own
    ");
    assert_snapshot!(two("root='/etc'", ""), @r"
    teal.toml:3:6: the root of a/production, /etc, is a folder of the system
      |
    3 | root='/etc'
      |      ^^^^^^ give it a `root` of its own
    ");
    assert_snapshot!(two("root='/srv/../etc'", ""), @r"
    teal.toml:3:6: `root` may not have `..` in it
      |
    3 | root='/srv/../etc'
      |      ^^^^^^^^^^^^^
    ");
    assert_snapshot!(two("domain='a.example'", "domain='A.example'"), @r"
    teal.toml:5:8: a.example belongs to a/production already
      |
    5 | domain='A.example'
      |        ^^^^^^^^^^^
    ");
    assert_snapshot!(two("domain='a.example'", "domain='b.example'\nredirect=['a.example']"), @r"
    teal.toml:6:11: a.example belongs to a/production already
      |
    6 | redirect=['a.example']
      |           ^^^^^^^^^^^
    ");
    assert_snapshot!(two("domain='a.b; }'", ""), @r#"
    teal.toml:3:8: "a.b; }" is not a host name
      |
    3 | domain='a.b; }'
      |        ^^^^^^^^
    "#);
    assert_snapshot!(two("domain='bücher.example'", ""), @r#"
    teal.toml:3:8: "bücher.example" has letters beyond ASCII: write its punycode form (xn--…)
      |
    3 | domain='bücher.example'
      |        ^^^^^^^^^^^^^^^^
    "#);
    assert_snapshot!(wrong("[proxy]\nlisten = ['127.0.0.1:9000']"), @r"
    teal.toml:1:2: two listeners want the same address: 127.0.0.1:9000 and 127.0.0.1:9000
      |
    1 | [proxy]
      |  ^^^^^
    ");
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

#[test]
fn a_server_without_a_file_says_where_it_looked() {
    let error = ConfigError::NotFound {
        looked: vec!["teal.toml".into(), "/etc/teal/teal.toml".into()],
    };
    assert_snapshot!(error, @"there is no teal.toml: looked for teal.toml, /etc/teal/teal.toml; name one with `--config`, or let `teal init` write one");
}
