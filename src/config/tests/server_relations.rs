use super::{good, wrong, wrong_app, wrong_env};
use crate::config::Proxy;
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

#[test]
fn tls_needs_an_address_a_certificate_and_its_key() {
    let files = "certificates = [{ cert = '/a.pem', key = '/a.key' }]";
    let typed = format!(
        "[proxy]\ntls = {{ listen = '0.0.0.0:443', {files} }}\nredirect_http = true\ntrusted = ['::1', '10.0.0.0/8']\naccess_log = '/a.log'"
    );
    let Proxy::Embedded(embedded) = good(&typed).proxy else {
        panic!("it is not nginx")
    };
    let tls = embedded.tls.unwrap();
    assert_eq!(tls.listen[0].to_string(), "0.0.0.0:443");
    assert_eq!(
        (&tls.certificates[0].cert, &tls.certificates[0].key),
        (&"/a.pem".into(), &"/a.key".into())
    );
    assert!(embedded.redirect_http && embedded.trusted[0].addr().is_loopback());
    assert_eq!(embedded.trusted[1].to_string(), "10.0.0.0/8");
    assert_eq!(embedded.access_log, Some("/a.log".into()));

    let wrong_tls = |tls: &str| wrong(&format!("[proxy]\ntls = {{ {tls} }}"));
    assert_snapshot!(wrong_tls(files), @r#"
    teal.toml:2:1: `tls` needs `listen`
      |
    2 | tls = …
      | ^^^ write { listen = ["0.0.0.0:443"], certificates = [{ cert = "/…/fullchain.pem", key = "/…/privkey.pem" }] }
    "#);
    assert_snapshot!(wrong_tls("listen = '0.0.0.0:443', certificates = []"), @r#"
    teal.toml:2:1: `tls` needs `certificates`
      |
    2 | tls = …
      | ^^^ write { listen = ["0.0.0.0:443"], certificates = [{ cert = "/…/fullchain.pem", key = "/…/privkey.pem" }] }
    "#);
    assert_snapshot!(wrong_tls("listen = '0.0.0.0:443', certificates = [{ cert = '/a.pem' }]"), @r"
    teal.toml:2:33: a certificate needs `key`, the path of a PEM file
      |
    2 | tls = { listen = '0.0.0.0:443', certificates = …
      |                                 ^^^^^^^^^^^^
    ");
    assert_snapshot!(wrong_tls("listen = '0.0.0.0:443', certificates = [{ cert = 'a.pem', key = '/a.key' }]"), @r"
    teal.toml:2:58: `cert` must be an absolute path
      |
    2 | tls = { listen = '0.0.0.0:443', certificates = [{ cert = 'a.pem', key = …
      |                                                          ^^^^^^^
    ");
    assert_snapshot!(wrong_tls(&format!("listen = '0.0.0.0:80', {files}")), @r"
    teal.toml:1:2: two listeners want the same address: 0.0.0.0:80 and 0.0.0.0:80
      |
    1 | [proxy]
      |  ^^^^^
    ");
    assert_snapshot!(wrong("[proxy]\nredirect_http = true"), @r"
    teal.toml:2:1: `redirect_http` would send everybody to https, where nobody listens
      |
    2 | redirect_http = …
      | ^^^^^^^^^^^^^ give [proxy] a `tls`
    ");
    assert_snapshot!(wrong("[proxy]\nredirect_http = 'yes'"), @r"
    teal.toml:2:17: `redirect_http` must be true or false, not a string
      |
    2 | redirect_http = 'yes'
      |                 ^^^^^
    ");
    assert_snapshot!(wrong("[proxy]\ntrusted = ['10.0.0.0/33']"), @r#"
    teal.toml:2:12: "10.0.0.0/33" is no address and no network
      |
    2 | trusted = ['10.0.0.0/33']
      |            ^^^^^^^^^^^^^ write it as "127.0.0.1", "::1" or "10.0.0.0/8"
    "#);
    assert_snapshot!(wrong("[proxy]\nkind = 'nginx'\naccess_log = '/a.log'"), @r#"
    teal.toml:3:1: `access_log` means something with `kind = "embedded"` only
      |
    3 | access_log = …
      | ^^^^^^^^^^
    "#);
}

#[test]
fn people_are_shown_the_address_that_they_can_reach() {
    let url = |proxy: &str| good(&format!("[proxy]\n{proxy}")).proxy.url("arq.ru");
    let tls = |port: u16| {
        format!(
            "tls = {{ listen = '0.0.0.0:{port}', certificates = [{{ cert = '/a', key = '/b' }}] }}"
        )
    };
    assert_eq!(url(""), "http://arq.ru");
    assert_eq!(url("listen = '127.0.0.1:8080'"), "http://arq.ru:8080");
    assert_eq!(url(&tls(443)), "https://arq.ru");
    assert_eq!(url(&tls(8443)), "https://arq.ru:8443");
}
