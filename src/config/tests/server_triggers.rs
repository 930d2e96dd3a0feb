//! What makes a commit go live in an environment, and what it waits for there.

use super::{good, wrong, wrong_env};
use crate::config::Environment;
use insta::assert_snapshot;

/// Production of an app at GitHub, with these keys.
fn at(forge: &str, app: &str, keys: &str) -> String {
    format!(
        "[apps.arq]\nforge = '{forge}'\nrepo = 'https://{forge}.com/a/b.git'\nwebhook_secret = {{ env = 'HOOK' }}\n{app}\n[apps.arq.environments.production]\n{keys}\n"
    )
}

const TOKEN: &str = "token = { env = 'HOOK' }";

fn production(keys: &str) -> Environment {
    let server = good(&at("github", TOKEN, keys));
    server.environments().next().unwrap().clone()
}

#[test]
fn ci_is_waited_for_as_a_whole_or_by_the_names_of_its_checks() {
    assert_eq!(production("").after, None);
    for all in ["'ci'", "{ ci = '*' }"] {
        let after = production(&format!("after = {all}")).after.unwrap();
        assert!(after.checks.is_empty());
        assert_eq!(after.timeout.as_secs(), 3600);
    }
    let after = production("after = { ci = ['build', 'test (*)'], timeout = '20m' }").after;
    let after = after.unwrap();
    assert_eq!(after.checks, ["build", "test (*)"]);
    assert_eq!(after.timeout.as_secs(), 20 * 60);
}

#[test]
fn what_is_waited_for_has_to_be_there_to_be_asked() {
    assert_snapshot!(wrong_env("after = 'ci'"), @r#"
    teal.toml:2:1: `after = "ci"` without a token of a forge: nobody could be asked
      |
    2 | after = …
      | ^^^^^ give the app a `forge`, a `repo`, and a `token` or `api_token`
    "#);
    assert_snapshot!(wrong(&at("github", TOKEN, "after = 'cj'")), @r#"
    teal.toml:7:9: `after` cannot be "cj"
      |
    7 | after = 'cj'
      |         ^^^^ did you mean "ci"?
    "#);
    assert_snapshot!(wrong(&at("github", TOKEN, "after = { timeout = '1h' }")), @r#"
    teal.toml:7:9: `after` does not say what it waits for
      |
    7 | after = { timeout = '1h' }
      |         ^^^^^^^^^^^^^^^^^^ write `after = "ci"`, or `after = { ci = ["build", "test*"], timeout = "1h" }`
    "#);
    let never = wrong(&at("github", TOKEN, "after = { ci = '*', timeout = '0s' }"));
    assert!(never.contains("no CI is done within no time"), "{never}");
}

#[test]
fn pushes_and_deployments_trigger_and_only_github_has_the_latter() {
    let triggers = |keys: &str| {
        let triggers = production(keys).triggers;
        (triggers.pushes, triggers.deployments)
    };
    assert_eq!(triggers(""), (true, false));
    assert_eq!(triggers("triggers = 'deployment'"), (false, true));
    assert_eq!(triggers("triggers = ['push', 'deployment']"), (true, true));
    let server = good(&at("github", TOKEN, "triggers = 'deployment'"));
    let app = server.apps.values().next().unwrap();
    assert!(app.environments_for("refs/heads/main").is_empty());
    assert_snapshot!(wrong(&at("gitlab", TOKEN, "triggers = 'deployment'")), @r#"
    teal.toml:7:1: only GitHub has deployments that trigger one here
      |
    7 | triggers = …
      | ^^^^^^^^ write `triggers = ["push"]`, or leave it out
    "#);
    assert_snapshot!(wrong(&at("github", "", "triggers = ['push', 'deployment']")), @r"
    teal.toml:7:1: a deployment made at GitHub could not be told how it went
      |
    7 | triggers = …
      | ^^^^^^^^ give the app a `token` or `api_token`, and leave `deployments` on
    ");
    assert_snapshot!(wrong(&at("github", TOKEN, "triggers = 'pushes'")), @r#"
    teal.toml:7:12: `triggers` cannot be "pushes"
      |
    7 | triggers = 'pushes'
      |            ^^^^^^^^ did you mean "push"?
    "#);
}
