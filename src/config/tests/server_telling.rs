//! `[[notify]]`, and what an app says about telling its forge.

use super::super::{ForgeLogin, Heard, MailTls, Place};
use super::{good, wrong, wrong_app};
use insta::assert_snapshot;

const APP: &str =
    "[apps.arq.environments.production]\n[apps.arq.environments.staging]\nbranch = 'x'\n";

fn notify(keys: &str) -> String {
    format!("{APP}[[notify]]\n{keys}\n")
}

#[test]
fn what_is_not_said_has_a_default_for_each_kind() {
    use Heard::*;
    let server = good(&notify(
        "kind = 'webhook'\nurl = 'http://127.0.0.1:1/x'\nsecret = { env = 'HOOK' }",
    ));
    let one = &server.notify[0];
    assert_eq!(one.name, "webhook");
    assert_eq!(
        one.hears.events,
        [Started, Live, Failed, RolledBack, Recovered, Waiting]
    );
    assert!(one.hears.of(&"arq/staging".parse().unwrap()));
    let text = "kind = 'mail'\nname = 'ops'\nenvironments = 'production'\nfrom = 'a@b.c'\nto = ['O <o@b.c>']\nsmtp = { host = 'mx', port = 465 }";
    let server = good(&notify(text));
    let one = &server.notify[0];
    assert_eq!(one.hears.events, [Failed, RolledBack, Recovered]);
    assert!(!one.hears.of(&"arq/staging".parse().unwrap()));
    let Place::Mail(mail) = &one.place else {
        panic!("{one:?}")
    };
    assert_eq!((mail.tls, mail.port), (MailTls::Implicit, 465));
    let text = "kind = 'slack'\ntoken = { env = 'HOOK' }\nchannel = '#x'";
    let server = good(&notify(text));
    assert_eq!(server.notify[0].hears.events, [Live, Failed, RolledBack]);
    assert!(!format!("{server:?}").contains("s3cret"));
}

#[test]
fn a_place_that_cannot_be_reached_is_a_mistake() {
    assert_snapshot!(wrong(&notify("url = 'https://hooks.example.com/hunter2'")), @r#"
    teal.toml:4:1: [[notify]] has no `kind`
      |
    4 | [[notify]]
      | ^^^^^^^^^^ add `kind = "slack"`, "discord", "mattermost", "teams", "mail" or "webhook"
    "#);
    assert_snapshot!(wrong(&notify("kind = 'slak'")), @r#"
    teal.toml:5:8: `kind` cannot be "slak"
      |
    5 | kind = 'slak'
      |        ^^^^^^ did you mean "slack"?
    "#);
    assert_snapshot!(wrong(&notify("kind = 'slack'")), @r"
    teal.toml:4:1: Slack cannot be reached without a secret
      |
    4 | [[notify]]
      | ^^^^^^^^^^ give `token` and `channel` (one message per deployment, kept up to date), or `webhook` (one at the end)
    ");
    assert_snapshot!(wrong(&notify("kind = 'discord'\nwebhook = 'https://discord.com/hunter2'")), @r#"
    teal.toml:6:1: `webhook` may not be written into this file
      |
    6 | webhook = …
      | ^^^^^^^ write `webhook = { env = "NAME" }` or `webhook = { file = "path" }`
    "#);
    assert_snapshot!(wrong(&notify("kind = 'teams'\nwebhook = { env = 'HOOK' }")), @r"
    teal.toml:6:1: what `webhook` names is not a web address (https://…)
      |
    6 | webhook = …
      | ^^^^^^^
    ");
    assert_snapshot!(wrong(&notify("kind = 'mail'\nchannel = '#x'")), @r"
    teal.toml:6:1: unknown key `channel` in [notify]
      |
    6 | channel = …
      | ^^^^^^^ known here: kind, name, events, apps, environments, from, to, smtp
    ");
    assert_snapshot!(wrong(&notify("kind = 'mail'\nfrom = 'nobody'\nto = 'a@b.c'\nsmtp = { host = 'mx' }")), @r#"
    teal.toml:6:8: "nobody" is not a mail address
      |
    6 | from = 'nobody'
      |        ^^^^^^^^ write "ops@example.com" or "Ops <ops@example.com>"
    "#);
    assert_snapshot!(wrong(&notify("kind = 'mail'\nfrom = 'a@b.c'\nto = 'a@b.c'\nsmtp = { host = 'mx', tls = 'none' }")), @r#"
    teal.toml:8:29: without TLS, mail and password could be read on the way
      |
    8 | smtp = { host = 'mx', tls = 'none' }
      |                             ^^^^^^ "none" is for a mail server on this machine
    "#);
}

#[test]
fn who_would_never_hear_anything_is_a_mistake() {
    let webhook = |keys: &str| {
        wrong(&notify(&format!(
            "kind = 'webhook'\nurl = 'https://a.b'\nsecret = {{ env = 'HOOK' }}\n{keys}"
        )))
    };
    assert_snapshot!(webhook("events = ['rolledback']"), @r#"
    teal.toml:8:11: `events` cannot be "rolledback"
      |
    8 | events = ['rolledback']
      |           ^^^^^^^^^^^^ did you mean "rolled_back"?
    "#);
    assert_snapshot!(webhook("apps = ['arg']"), @r#"
    teal.toml:8:9: there is no app `arg` in this file
      |
    8 | apps = ['arg']
      |         ^^^^^ did you mean "arq"?
    "#);
    assert_snapshot!(webhook("events = []"), @r"
    teal.toml:8:1: `events` is empty: nobody would be told
      |
    8 | events = …
      | ^^^^^^
    ");
    let two = "kind = 'webhook'\nurl = 'https://a.b'\nsecret = { env = 'HOOK' }";
    assert_snapshot!(wrong(&format!("{}[[notify]]\n{two}", notify(two))), @r"
    teal.toml:8:1: two of [[notify]] are called `webhook`
      |
    8 | [[notify]]
      | ^^^^^^^^^^ give each a `name` of its own
    ");
}

const FORGE: &str = "forge = 'github'\nrepo = 'https://github.com/arq/arq.git'\nwebhook_secret = { env = 'HOOK' }\n";

#[test]
fn a_forge_is_told_where_teal_is_somebody() {
    let app = |keys: &str| {
        let text = format!("[apps.arq]\n{FORGE}{keys}\n[apps.arq.environments.production]\n");
        good(&text).apps.values().next().unwrap().api.clone()
    };
    assert!(app("").is_none());
    let api = app("token = { env = 'HOOK' }").unwrap();
    assert_eq!(
        (api.url.as_str(), api.project.as_str()),
        ("https://api.github.com", "arq/arq")
    );
    assert!(api.statuses && api.deployments && !api.comments && !api.shared);
    assert!(matches!(api.login, ForgeLogin::Token(_)));
    let api =
        app("api_token = { env = 'HOOK' }\nstatuses = false\napi_url = 'https://ghe.lan/api/v3/'")
            .unwrap();
    assert_eq!(api.url, "https://ghe.lan/api/v3");
    assert!(!api.statuses);
}

#[test]
fn what_a_forge_cannot_be_told_is_a_mistake() {
    assert_snapshot!(wrong_app("statuses = true"), @r"
    teal.toml:2:1: `statuses` without `forge`: nobody would be told
      |
    2 | statuses = …
      | ^^^^^^^^ add `forge` and `repo`
    ");
    assert_snapshot!(wrong_app(&format!("{FORGE}statuses = true")), @r#"
    teal.toml:5:1: `statuses` needs a token of the forge
      |
    5 | statuses = …
      | ^^^^^^^^ add `api_token = { env = "NAME" }` or `{ file = "path" }`
    "#);
    let gitea = FORGE.replace("'github'", "'gitea'");
    assert_snapshot!(wrong_app(&format!("{gitea}token = {{ env = 'HOOK' }}\ndeployments = true")), @r"
    teal.toml:6:1: `deployments` are told to GitHub and GitLab only
      |
    6 | deployments = …
      | ^^^^^^^^^^^
    ");
    assert_snapshot!(wrong_app(&format!("{FORGE}github_app = {{ id = 1 }}")), @r#"
    teal.toml:5:1: `github_app` has no `key`
      |
    5 | github_app = …
      | ^^^^^^^^^^ write `github_app = { id = 1, installation = 2, key = { file = "…" } }`
    "#);
}

#[test]
fn apps_of_one_repository_are_told_apart() {
    let app = |name: &str, port: u16| {
        let ports = format!("ports = {{ blue = {port}, green = {} }}", port + 1);
        format!(
            "[apps.{name}]\n{FORGE}token = {{ env = 'HOOK' }}\n[apps.{name}.environments.production]\n{ports}\n"
        )
    };
    let server = good(&format!("{}{}", app("web", 4000), app("api", 4010)));
    assert!(
        server
            .apps
            .values()
            .all(|app| app.api.as_ref().unwrap().shared)
    );
}
