use super::{wrong, wrong_app, wrong_env};
use insta::assert_snapshot;

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
