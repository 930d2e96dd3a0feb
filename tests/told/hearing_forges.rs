//! What forges hear: commit statuses, deployments, and a comment on the merged pull request.

use super::forges::{GitLab, Gitea};
use super::github::{GitHub, TOKEN};
use super::service::Service;
use super::{HOST, openapi, plain};
use crate::harness::{App, Forge, SECRET, Sandbox, Teal, TealPlan, program};
use std::process::Command;

/// An app that is fetched from a forge, whose API is a stand-in.
pub struct World {
    pub teal: Teal,
    pub app: App,
    _forge: Forge,
}

impl World {
    pub fn new(kind: &str, api: &str, keys: &str) -> World {
        World::with(Teal::plan(), kind, api, keys)
    }

    pub fn with(plan: TealPlan, kind: &str, api: &str, keys: &str) -> World {
        World::having(plan, kind, api, keys, "")
    }

    /// One whose production has these keys.
    pub fn having(plan: TealPlan, kind: &str, api: &str, keys: &str, production: &str) -> World {
        let sandbox = Sandbox::new();
        let (forge, app) = Forge::with_shop(&sandbox);
        let key = if keys.contains("APP_KEY") {
            app_key(&sandbox)
        } else {
            String::new()
        };
        let keys = format!(
            "forge = \"{kind}\"\nrepo = \"{}\"\nwebhook_secret = {{ env = \"HOOK\" }}\napi_url = \"{api}\"\n{}",
            forge.url("blue/shop"),
            keys.replace("APP_KEY", &key)
        );
        let mut teal = plan
            .top("public_url = \"https://deploy.test\"\nreconcile = \"0s\"")
            .variable("HOOK", SECRET)
            .variable(
                "TOKEN",
                if kind == "github" {
                    TOKEN
                } else {
                    "forge-token"
                },
            )
            .app("shop", &keys)
            .environment("shop", "production", production)
            .init(sandbox);
        teal.serve();
        World {
            teal,
            app,
            _forge: forge,
        }
    }

    /// Pushes to the forge and deploys what is there; the exit code.
    pub fn deploy(&self) -> i32 {
        self.push();
        self.teal.cli(["deploy", "production"]).code
    }

    /// Pushes to the forge, which is not Teal: nothing happens but that. The commit.
    pub fn push(&self) -> String {
        self.app
            .git()
            .run(["push", "--quiet", "--force", "origin", "main"])
            .ok();
        self.app.git().head()
    }
}

/// A private key of an app, as GitHub gives them: RSA, in a file of its own.
fn app_key(sandbox: &Sandbox) -> String {
    let path = sandbox.join("app.pem");
    let made = Command::new(program("ssh-keygen"))
        .args(["-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    path.display().to_string()
}

const WITH_TOKEN: &str = "api_token = { env = \"TOKEN\" }";

#[test]
fn github_shows_statuses_deployments_and_one_comment_and_every_request_is_one_it_describes() {
    let github = Service::start(GitHub::default());
    let keys = format!("{WITH_TOKEN}\ncomments = true");
    let world = World::new("github", &github.url("/api/v3"), &keys);
    let first = world.app.git().head();
    github.look(|github| github.pulls.push((17, first.clone())));
    assert_eq!(world.deploy(), 0);
    world.app.version("v2");
    assert_eq!(world.deploy(), 0);
    world.app.fault("exit");
    assert_eq!(world.deploy(), 1);
    // The first commit once more: its pull request is known, and gets no second comment.
    world
        .app
        .git()
        .run(["reset", "--quiet", "--hard", &first])
        .ok();
    assert_eq!(world.deploy(), 0);

    github.wait("all has been told", |github| {
        let last = github.states().last().cloned().unwrap_or_default();
        let words = github.words("teal/production");
        let edited = github.comments.iter().any(|one| {
            one["body"]
                .as_str()
                .unwrap()
                .contains("deployment 4 is live")
        });
        let over = words
            .iter()
            .filter(|words| !words.starts_with("pending"))
            .count();
        last.contains(&"success".to_owned())
            && over == 4
            && github.states().len() == 4
            && edited
            && github.states()[1].contains(&"inactive".to_owned())
    });
    let words = github.look(|github| github.words("teal/production"));
    let ends: Vec<String> = words
        .into_iter()
        .filter(|words| !words.starts_with("pending"))
        .collect();
    insta::assert_snapshot!(plain(&world.teal, &ends.join("\n")), @r"
    success: live after [TIME]
    success: live after [TIME]
    failure: failed at health after [TIME]: the service exited with code 3 (after [TIME] and [N] probes)
    success: live after [TIME]
    ");
    let mut states = github.look(|github| github.states());
    for states in &mut states {
        states.retain(|state| !matches!(state.as_str(), "queued" | "in_progress"));
    }
    assert_eq!(
        states,
        [
            vec!["success", "inactive"],
            vec!["success", "inactive"],
            vec!["failure"],
            vec!["success"]
        ]
    );
    let status = github.look(|github| github.deployment_statuses.last().cloned().unwrap());
    assert_ne!(status["auto_inactive"], true);
    let comments = github.look(|github| github.comments.clone());
    assert_eq!(comments.len(), 1);
    let comment = comments[0]["body"].as_str().unwrap().to_owned();
    insta::assert_snapshot!(plain(&world.teal, &comment), @r"
    <!-- teal: deployments -->
    - shop/production: deployment 4 is live after [TIME], all is well again after a failure \(deployment 3\) ([details](https://deploy.test/deployments/4))
    ");
    assert_eq!(world.teal.serves(HOST), "v1");
    openapi::check("/api/v3", &github.log());
}

#[test]
fn a_github_app_gets_another_token_when_the_one_it_has_ends() {
    let github = Service::start(GitHub::default());
    let keys = "github_app = { id = 5, installation = 7, key = { file = \"APP_KEY\" } }\ndeployments = false";
    let world = World::new("github", &github.url("/api/v3"), keys);
    assert_eq!(world.deploy(), 0);
    github.wait("the first end is told", |github| {
        !github.words("teal/production").is_empty()
    });
    world.app.version("v2");
    assert_eq!(world.deploy(), 0);
    github.wait("the second end is told", |github| {
        let words = github.words("teal/production");
        words
            .iter()
            .filter(|words| words.starts_with("success"))
            .count()
            == 2
    });
    assert!(github.look(|github| github.installation_tokens) >= 2);
}

#[test]
fn gitea_and_forgejo_show_statuses() {
    for kind in ["gitea", "forgejo"] {
        let forge = Service::start(Gitea::default());
        let world = World::new(kind, &forge.url("/api/v1"), WITH_TOKEN);
        assert_eq!(world.deploy(), 0);
        world.app.fault("exit");
        assert_eq!(world.deploy(), 1);
        forge.wait("both ends are told", |forge| {
            let over = forge
                .statuses
                .iter()
                .filter(|one| one["status"] != "pending");
            over.count() == 2
        });
        let last = forge.look(|forge| forge.statuses.last().cloned().unwrap());
        assert_eq!(last["status"], "failure", "{kind}");
        assert_eq!(last["context"], "teal/production", "{kind}");
        assert_eq!(
            last["target_url"], "https://deploy.test/deployments/2",
            "{kind}"
        );
    }
}

#[test]
fn gitlab_shows_statuses_and_deployments() {
    let gitlab = Service::start(GitLab::default());
    let world = World::new("gitlab", &gitlab.url("/api/v4"), WITH_TOKEN);
    assert_eq!(world.deploy(), 0);
    world.app.fault("exit");
    assert_eq!(world.deploy(), 1);
    gitlab.wait("both ends are told", |gitlab| {
        let status = |one: &serde_json::Value| one["status"].as_str().unwrap().to_owned();
        let statuses: Vec<String> = gitlab.statuses.iter().map(status).collect();
        let deployments: Vec<String> = gitlab.deployments.iter().map(status).collect();
        statuses == ["success", "failed"] && deployments == ["success", "failed"]
    });
    let environments = gitlab.look(|gitlab| gitlab.environments.clone());
    assert_eq!(environments.len(), 1);
    assert_eq!(environments[0]["name"], "production");
    assert!(
        environments[0]["external_url"]
            .as_str()
            .unwrap()
            .contains(HOST)
    );
}

#[test]
fn a_wrong_token_is_said_in_the_status_until_it_is_put_right() {
    let github = Service::start(GitHub {
        token_revoked: true,
        ..GitHub::default()
    });
    let keys = format!("{WITH_TOKEN}\ndeployments = false");
    let world = World::new("github", &github.url("/api/v3"), &keys);
    assert_eq!(world.deploy(), 0);
    crate::harness::wait_until(crate::harness::LONG, "the status says so", || {
        let told = world.teal.cli(["status"]).ok();
        told.contains("warning: shop/statuses cannot be told")
            && told.contains("it answered 401 Unauthorized: Bad credentials; the token is wrong")
    });
    github.look(|github| github.token_revoked = false);
    github.wait("it is told after all", |github| {
        github
            .words("teal/production")
            .iter()
            .any(|words| words.starts_with("success"))
    });
    crate::harness::wait_until(crate::harness::LONG, "the status is silent", || {
        !world.teal.cli(["status"]).ok().contains("warning")
    });
    let tested = world.teal.cli(["notify", "test", "shop/statuses"]).ok();
    assert!(
        tested.contains("it shows teal/test as failure on "),
        "{tested}"
    );
}
