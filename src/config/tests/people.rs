//! People, and the lists that name them.

use super::{good, wrong};
use crate::domain::Account;
use insta::assert_snapshot;

const TWO: &str = "
[people.ada]
unix = 'al'
github = ['Ada-L', 'ada-old']
forgejo = 'ada'
slack = 'U1'
email = 'ada@example.com'
keys = ['laptop']
roles = ['release']

[people.bob]
";

fn with(lines: &str) -> String {
    format!("{TWO}\n[apps.arq]\n{lines}")
}

#[test]
fn everybodys_accounts_and_roles_are_read() {
    let server = good(TWO);
    let ada = server.people.get(&"ada".parse().unwrap()).unwrap();
    let accounts: Vec<String> = ada.accounts.iter().map(ToString::to_string).collect();
    assert_eq!(
        accounts,
        [
            "the unix user al",
            "the ssh key laptop",
            "the GitHub login Ada-L",
            "the GitHub login ada-old",
            "the Gitea login ada",
            "the Slack user U1",
        ]
    );
    assert_eq!(ada.email.as_deref(), Some("ada@example.com"));
    assert_eq!(server.people.iter().count(), 2);
}

#[test]
fn an_environment_says_who_may_or_takes_it_from_its_app() {
    let server = good(&with(
        "allow = 'group:release'
         [apps.arq.environments.production]
         [apps.arq.environments.staging]
         branch = 'develop'
         allow = ['bob', 'group:release']",
    ));
    let shown = |env: &str| {
        let env = server.environment(&env.parse().unwrap()).unwrap();
        env.allow.as_ref().map(ToString::to_string)
    };
    assert_eq!(shown("arq/production").unwrap(), "group:release");
    assert_eq!(shown("arq/staging").unwrap(), "bob, group:release");
    let free = good("[apps.arq.environments.production]");
    assert!(free.environments().all(|env| env.allow.is_none()));
    let actor = server.people.whois(Account::GitHub("ada-l".to_owned()));
    assert_eq!(actor.name(), "ada");
}

#[test]
fn a_name_that_nobody_has_is_a_mistake() {
    let production = |allow: &str| {
        wrong(&with(&format!(
            "[apps.arq.environments.production]\nallow = {allow}"
        )))
    };
    assert_snapshot!(production("['aad']"), @r#"
    teal.toml:15:10: there is no person `aad`
       |
    15 | allow = ['aad']
       |          ^^^^^ did you mean "ada"?
    "#);
    assert_snapshot!(production("'group:relase'"), @r#"
    teal.toml:15:9: nobody is in the group `relase`
       |
    15 | allow = 'group:relase'
       |         ^^^^^^^^^^^^^^ did you mean "group:release"?
    "#);
    assert_snapshot!(production("'group:ops'"), @r#"
    teal.toml:15:9: nobody is in the group `ops`
       |
    15 | allow = 'group:ops'
       |         ^^^^^^^^^^^ add `roles = ["ops"]` to whoever is in it
    "#);
    assert_snapshot!(production("[]"), @r"
    teal.toml:15:9: `allow` names nobody, so nobody could
       |
    15 | allow = []
       |         ^^ name people or groups, or take the key out: then everybody who can push may
    ");
    assert_snapshot!(production("['Ada; rm']"), @r#"
    teal.toml:15:10: there is no person `Ada; rm`
       |
    15 | allow = ['Ada; rm']
       |          ^^^^^^^^^ add [people.Ada; rm], or name a group: "group:…"
    "#);
    assert_snapshot!(production("7"), @r"
    teal.toml:15:9: `allow` must be a string or a list of strings, not a number
       |
    15 | allow = 7
       |         ^
    ");
}

#[test]
fn an_account_is_one_persons() {
    assert_snapshot!(wrong("[people.ada]\ngithub = 'Ada'\n[people.eve]\ngithub = 'aDA'"), @r"
    teal.toml:4:10: the GitHub login aDA is ada's already
      |
    4 | github = 'aDA'
      |          ^^^^^ an account is one person's, so that what it does is theirs
    ");
    assert_snapshot!(wrong("[people.ada]\nemail = 'Ada <a@b.c>'"), @r#"
    teal.toml:2:9: "Ada <a@b.c>" is not a mail address
      |
    2 | email = 'Ada <a@b.c>'
      |         ^^^^^^^^^^^^^ write it without a name: "ada@example.com"
    "#);
    assert_snapshot!(wrong("[people.ada]\ngithb = 'a'"), @r"
    teal.toml:2:1: unknown key `githb` in [people.ada]
      |
    2 | githb = …
      | ^^^^^ did you mean `github`?
    ");
    assert_snapshot!(wrong("[people.'Ada L']\n"), @r"
    teal.toml:1:9: `Ada L` cannot be a name here: use 1 to 40 lower-case letters, digits and `-`, starting with a letter or digit
      |
    1 | [people.'Ada L']
      |         ^^^^^^^
    ");
    assert_snapshot!(wrong("[people.ada]\nroles = ['two words']\n"), @r"
    teal.toml:2:10: `two words` cannot be a name here: use 1 to 40 lower-case letters, digits and `-`, starting with a letter or digit
      |
    2 | roles = ['two words']
      |          ^^^^^^^^^^^
    ");
}

#[test]
fn an_approval_names_who_says_it_and_how_long_it_is_waited_for() {
    let approval = |typed: &str| {
        let lines = format!("[apps.arq.environments.production]\napproval = {typed}");
        good(&with(&lines))
            .environments()
            .next()
            .unwrap()
            .approval
            .clone()
    };
    let full = approval("{ by = ['group:release', 'bob'], timeout = '30m' }").unwrap();
    assert_eq!(full.by.to_string(), "group:release, bob");
    assert_eq!(full.timeout.as_secs(), 30 * 60);
    let short = approval("{ by = 'bob' }").unwrap();
    assert_eq!(short.timeout.as_secs(), 2 * 3600);
    let wrong = |typed: &str| {
        let lines = format!("[apps.arq.environments.production]\napproval = {typed}");
        wrong(&with(&lines))
    };
    assert_snapshot!(wrong("{ timeout = '2h' }"), @r#"
    teal.toml:15:12: `approval` has no `by`
       |
    15 | approval = { timeout = '2h' }
       |            ^^^^^^^^^^^^^^^^^^ write `approval = { by = ["group:release"] }`
    "#);
    let typo = wrong("{ by = 'group:relaese' }");
    assert!(typo.contains("did you mean \"group:release\"?"), "{typo}");
    let never = wrong("{ by = 'bob', timeout = '0s' }");
    assert!(
        never.contains("nobody can say yes within no time"),
        "{never}"
    );
}
