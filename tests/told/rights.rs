//! What `teal doctor` learns of tokens by asking, with nothing told to anybody.

use super::forges::{GitLab, Gitea};
use super::github::GitHub;
use super::hearing_forges::World;
use super::service::Service;
use super::slack::{Slack, TOKEN};
use crate::harness::Teal;
use serde_json::Value;

/// The findings of one area, each as its health, what was seen, and the fix.
fn findings(world: &World, area: &str) -> Vec<String> {
    let said = crate::harness::Outcome::of(&mut world.teal.command(["doctor", "--json"]));
    let examined: Value = serde_json::from_str(&said.stdout).unwrap();
    let all = examined["findings"].as_array().unwrap().iter();
    let own = all.filter(|one| one["area"] == area);
    own.map(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("health"), text("what"))
    })
    .collect()
}

const WITH_TOKEN: &str = "api_token = { env = \"TOKEN\" }";

#[test]
fn a_token_of_githubs_is_asked_for_its_scopes() {
    let github = Service::start(GitHub::default());
    let world = World::new("github", &github.url("/api/v3"), WITH_TOKEN);
    assert_eq!(
        findings(&world, "told"),
        [
            "good: shop/statuses (statuses of blue/shop at GitHub): blue/shop is open to its token",
            "good: shop/deployments (deployments of blue/shop at GitHub): blue/shop is open to its token",
        ]
    );
    github.look(|github| github.scopes = Some("repo:status, gist"));
    let told = findings(&world, "told");
    assert!(
        told[0].ends_with("is open to its token (repo:status, gist)"),
        "{told:?}"
    );
    assert!(told[1].starts_with("problem: "), "{told:?}");
    assert!(told[1].ends_with("it needs repo_deployment"), "{told:?}");
    github.look(|github| github.token_revoked = true);
    let told = findings(&world, "told");
    assert!(
        told[0].ends_with("the token is wrong or has expired"),
        "{told:?}"
    );
    github.look(|github| assert!(github.statuses.is_empty() && github.deployments.is_empty()));
}

#[test]
fn tokens_of_gitea_and_gitlab_are_asked_whether_they_may_write() {
    let gitea = Service::start(Gitea::default());
    let world = World::new("gitea", &gitea.url("/api/v1"), WITH_TOKEN);
    let told = findings(&world, "told");
    assert!(
        told[0].ends_with("its token's user may write to blue/shop"),
        "{told:?}"
    );
    gitea.look(|gitea| gitea.reader = true);
    let told = findings(&world, "told");
    assert!(told[0].starts_with("problem: "), "{told:?}");
    assert!(told[0].ends_with("and not write to it"), "{told:?}");
    let gitlab = Service::start(GitLab::default());
    let world = World::new("gitlab", &gitlab.url("/api/v4"), WITH_TOKEN);
    let told = findings(&world, "told");
    assert!(
        told[0].contains("less in blue/shop than the role Developer"),
        "{told:?}"
    );
    gitlab.look(|gitlab| gitlab.level = 30);
    let told = findings(&world, "told");
    assert!(
        told[0].ends_with("is open to its token until 2027-01-31"),
        "{told:?}"
    );
}

#[test]
fn who_waits_for_ci_sees_whether_the_token_may_read_it() {
    let github = Service::start(GitHub::default());
    let api = github.url("/api/v3");
    let world = World::having(Teal::plan(), "github", &api, WITH_TOKEN, "after = \"ci\"");
    let found = findings(&world, "ci");
    assert_eq!(
        found,
        ["unknown: shop/production: nothing was pushed yet that CI could be asked about"]
    );
    world.push();
    // Asking for a deployment looks at the repository.
    world.teal.cli(["deploy", "production", "--detach"]).ok();
    let found = findings(&world, "ci");
    assert!(
        found[0].starts_with("good: shop/production: the forge knows 0 checks of main"),
        "{found:?}"
    );
    github.look(|github| github.hides_runs = true);
    let found = findings(&world, "ci");
    assert!(found[0].starts_with("problem: "), "{found:?}");
    assert!(
        found[0].ends_with("the token needs \"Actions: read\" for blue/shop"),
        "{found:?}"
    );
}

#[test]
fn chats_are_asked_who_teal_is_there_where_they_can_be_asked() {
    let slack = Service::start(Slack::default());
    let plan = Teal::plan()
        .variable("SLACK", TOKEN)
        .variable("HOOKED", &slack.url("/services/T/B/X"));
    let notify = format!(
        "public_url = \"https://deploy.test\"\nreconcile = \"0s\"\n[[notify]]\nname = \"team\"\nkind = \"slack\"\n\
         token = {{ env = \"SLACK\" }}\nchannel = \"#deploys\"\napi_url = \"{}\"\n\
         [[notify]]\nname = \"hook\"\nkind = \"slack\"\nwebhook = {{ env = \"HOOKED\" }}\n",
        slack.url("/api")
    );
    let mut teal = plan
        .environment("shop", "production", "")
        .top(&notify)
        .init(crate::harness::Sandbox::new());
    teal.serve();
    let said = crate::harness::Outcome::of(&mut teal.command(["doctor"]));
    assert!(
        said.stdout
            .contains("team (slack, #deploys): its bot is teal of Blue"),
        "{}",
        said.stdout
    );
    assert!(
        said.stdout.contains("fix: teal notify test hook"),
        "{}",
        said.stdout
    );
    slack.look(|slack| assert!(slack.messages.is_empty() && slack.hooked.is_empty()));
}
