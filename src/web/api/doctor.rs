//! What `teal doctor` cannot look at from outside: what only the server's own secrets can show.

use super::types::Finding;
use crate::ci::Ci;
use crate::config::{App, Server};
use crate::domain::{CommitId, EnvId};
use crate::pipeline;
use crate::reconcile;
use crate::report::{Target, ping, targets};
use crate::system::git::Remote;
use crate::web::Refusal;
use crate::worker::Worker;
use axum::Json;
use axum::extract::State;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A forge that has not listed its branches by then is taken for hung.
const LISTED: Duration = Duration::from_secs(30);

/// Asks every forge, chat and mail server who Teal is there, fetches nothing from every repository, and delivers to itself what
/// forges would. All at once, and told in the order of the configuration.
pub(super) async fn doctor(State(worker): State<Worker>) -> Result<Json<Vec<Finding>>, Refusal> {
    let tools = worker.tools();
    let mut looks = JoinSet::new();
    let mut count = 0;
    for app in tools.server.apps.values() {
        if let Some(remote) = pipeline::remote(tools, app) {
            let (app, repo) = (app.clone(), tools.repo_path(app));
            looks.spawn(numbered(count, fetching(app, remote, repo)));
            count += 1;
        }
        if app.forge.is_some() {
            let (server, app) = (Arc::clone(&tools.server), app.clone());
            looks.spawn(numbered(count, delivery(server, app)));
            count += 1;
        }
        for env in app.environments.iter().filter(|env| env.after.is_some()) {
            let tip = reconcile::newest_tip(tools, app, &env.id);
            let (app, env) = (app.clone(), env.id.clone());
            looks.spawn(numbered(count, checks(app, env, tip.ok().flatten())));
            count += 1;
        }
    }
    for target in targets(&tools.server) {
        looks.spawn(numbered(count, told(target)));
        count += 1;
    }
    let mut found = looks.join_all().await;
    found.sort_by_key(|(at, _)| *at);
    Ok(Json(
        found.into_iter().map(|(_, finding)| finding).collect(),
    ))
}

async fn numbered<T>(at: usize, look: impl Future<Output = T>) -> (usize, T) {
    (at, look.await)
}

async fn fetching(app: App, remote: Remote, repo: PathBuf) -> Finding {
    const AREA: &str = "repositories";
    match remote.tips(&repo, LISTED).await {
        Ok(tips) => {
            let (name, shown) = (&app.name, remote.shown());
            let count = tips.len();
            Finding::good(
                AREA,
                format!("{name}: {shown} lists {count} branches and tags"),
            )
        }
        Err(error) => Finding::problem(
            AREA,
            format!("{}: {error}", app.name),
            format!(
                "check `repo` of [apps.{}], and that its `token` or `ssh_key` may read it",
                app.name
            ),
        ),
    }
}

async fn delivery(server: Arc<Server>, app: App) -> Finding {
    const AREA: &str = "webhooks";
    let name = &app.name;
    let url = format!("{}/hooks/{name}", server.public_url);
    let Some(secret) = &app.webhook_secret else {
        let what = format!("{name} has no `webhook_secret`: deliveries are refused");
        return Finding::warning(AREA, what, format!("set it in [apps.{name}]"));
    };
    match ping(&server.public_url, &app, secret).await {
        Ok(_) => Finding::good(AREA, format!("{name}: a signed delivery to {url} comes in")),
        Err(refusal) => Finding::problem(
            AREA,
            format!("{name}: a delivery to {url} does not come in: {refusal}"),
            format!(
                "`public_url` has to lead to {}; config/nginx-in-front.conf shows a way in",
                server.listen
            ),
        ),
    }
}

/// Whether the forge lets Teal read what CI says, asked about the commit that its branch points to.
async fn checks(app: App, env: EnvId, tip: Option<(String, CommitId)>) -> Finding {
    const AREA: &str = "ci";
    let Some((ref_name, commit)) = tip else {
        let what = format!("{env}: nothing was pushed yet that CI could be asked about");
        return Finding::unknown(
            AREA,
            what,
            format!("push something, then: teal doctor {AREA}"),
        );
    };
    let asked = match Ci::of(&app) {
        Some(Ok(ci)) => ci.checks(&commit, &ref_name).await,
        Some(Err(refusal)) => Err(refusal),
        None => Ok(Vec::new()),
    };
    let name = crate::queue::shown_ref(&ref_name);
    match asked {
        Ok(checks) => {
            let count = checks.iter().filter(|check| !check.is_part).count();
            let short = commit.short();
            Finding::good(
                AREA,
                format!("{env}: the forge knows {count} checks of {name} ({short})"),
            )
        }
        Err(refusal) => Finding::problem(
            AREA,
            format!("{env}: the forge does not say what CI finds: {refusal}"),
            format!(
                "put the token of [apps.{}] right; until then every push waits",
                app.name
            ),
        ),
    }
}

async fn told(target: Target) -> Finding {
    const AREA: &str = "told";
    let name = &target.name;
    match target.check().await {
        Ok(Some(words)) => Finding::good(AREA, format!("{name} ({}): {words}", target.kind)),
        Ok(None) => Finding::unknown(
            AREA,
            format!("{name} ({}): only a message would show it", target.kind),
            format!("teal notify test {name}"),
        ),
        Err(refusal) => Finding::problem(
            AREA,
            format!("{name} ({}): {refusal}", target.kind),
            format!("put it right in teal.toml, restart, then: teal notify test {name}"),
        ),
    }
}
