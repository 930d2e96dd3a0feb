//! Finds pushes that nobody told us of: the server was down, a webhook was lost. A tip is deployed when this commit was
//! never tried in this environment, so that a rollback or a failed commit is never overridden. Where only some may
//! deploy, a forge's branch does not say who moved it, so what is found there is only reported.

use crate::access::{Permit, Want};
use crate::config::App;
use crate::domain::{Account, Act, CommitId, EnvId, Kind, Origin};
use crate::pipeline::{self, Tools};
use crate::queue::{Queue, Wish, shown_ref};
use crate::store::{StoreError, deployments, passed_over};
use crate::system::git::GitError;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Looks at start, then every `reconcile` of the app that asks for it most often. With "0s" everywhere nothing is fetched;
/// what was pushed here while the server was down is found at start all the same, because its pusher was told so.
pub async fn watch(tools: Arc<Tools>, queue: Queue) {
    let start = Instant::now();
    let mut apps: Vec<(Instant, &App)> = tools.server.apps.values().map(|a| (start, a)).collect();
    apps.retain(|(_, app)| app.repo.is_none() || every(app).is_some());
    while let Some(next) = apps.iter().map(|(due, _)| *due).min() {
        sleep_until(next).await;
        for (due, app) in apps.iter_mut().filter(|(due, _)| *due <= next) {
            if let Err(error) = look(&tools, &queue, app).await {
                tracing::warn!(app = %app.name, error, "its repository cannot be compared with what serves");
            }
            *due = Instant::now() + every(app).unwrap_or_default();
        }
        apps.retain(|(_, app)| every(app).is_some());
    }
}

/// How often an app is looked at; never, when all of its environments say "0s".
fn every(app: &App) -> Option<Duration> {
    let environments = app.environments.iter().map(|env| env.reconcile);
    environments.filter(|every| !every.is_zero()).min()
}

async fn look(tools: &Tools, queue: &Queue, app: &App) -> Result<(), String> {
    if let Err(pipeline::Stop::Failed(trouble)) = pipeline::transfer(tools, app).await {
        return Err(trouble.cause);
    }
    for env in &app.environments {
        if app.repo.is_some() && env.reconcile.is_zero() {
            continue;
        }
        let tip = newest_tip(tools, app, &env.id).map_err(|e| e.to_string())?;
        let Some((ref_name, commit)) = tip else {
            continue;
        };
        let (id, tried) = (env.id.clone(), commit.clone());
        let tried = tools
            .journal
            .store()
            .read(move |c| {
                Ok(deployments::was_tried(c, &id, &tried)? || passed_over::has(c, &id, &tried)?)
            })
            .await;
        if tried.map_err(|e| e.to_string())? {
            continue;
        }
        if app.repo.is_some() && env.allow.is_some() {
            tracing::warn!(env = %env.id, commit = commit.short(), "a push was not deployed, and who pushed it is not known: somebody whom `allow` names has to, by `teal deploy {}`", env.id);
            continue;
        }
        tracing::info!(env = %env.id, commit = commit.short(), "found a push that was not deployed");
        let wish = Wish {
            env: env.id.clone(),
            kind: Kind::Deploy,
            commit,
            ref_name,
            by: "reconcile".to_owned(),
            origin: Origin::Reconcile,
            mode: env.mode,
            redeploy: false,
            skip_tests: false,
            retry_of: None,
            now: false,
        };
        let permit = permit(tools, &env.id, &wish.ref_name).await?;
        let queued = queue.ask(wish).await.map_err(|e| e.to_string())?;
        permit.made(queued.id).await;
    }
    Ok(())
}

/// Somebody chose a release: the tip that the environment's branch has now is not what they want, and no later look may put
/// it in the place of what they chose. Says so when that tip was never deployed.
pub async fn pass_over(
    tools: &Tools,
    env: &EnvId,
    chosen: &CommitId,
) -> Result<Option<String>, StoreError> {
    let Some((app, _)) = tools.environment(env) else {
        return Ok(None);
    };
    // A repository that cannot be read has no tip that could be deployed.
    let Ok(Some((ref_name, tip))) = newest_tip(tools, app, env) else {
        return Ok(None);
    };
    if &tip == chosen {
        return Ok(None);
    }
    let (id, passed) = (env.clone(), tip.clone());
    let store = tools.journal.store();
    let was_tried = store
        .write(move |c| {
            let was_tried = deployments::was_tried(c, &id, &passed)?;
            if !was_tried {
                passed_over::add(c, &id, &passed)?;
            }
            Ok::<_, StoreError>(was_tried)
        })
        .await?;
    Ok((!was_tried).then(|| {
        format!(
            "{} is at {}, which was never deployed here and is left alone now: teal deploy {env} deploys it",
            crate::queue::shown_ref(&ref_name),
            tip.short()
        )
    }))
}

/// What Teal does by itself is in the audit trail like everything else.
async fn permit(tools: &Tools, env: &EnvId, ref_name: &str) -> Result<Permit, String> {
    let actor = tools.access().whois(Account::Teal);
    let want = Want {
        actor: &actor,
        door: Origin::Reconcile,
        act: Act::Deploy,
        env,
        about: &shown_ref(ref_name),
    };
    tools.access().permit(want).await.map_err(|e| e.to_string())
}

/// Of all refs that map to the environment, the one with the newest commit.
pub fn newest_tip(
    tools: &Tools,
    app: &App,
    env: &EnvId,
) -> Result<Option<(String, CommitId)>, GitError> {
    let repo = tools.repo(app)?;
    let tips = match app.repo {
        Some(_) => repo.remote_tips()?,
        None => repo.tips()?,
    };
    let mut newest: Option<(i64, String, CommitId)> = None;
    for (ref_name, commit) in tips {
        let maps = app
            .environments_for(&ref_name)
            .iter()
            .any(|mapped| &mapped.id == env);
        if !maps {
            continue;
        }
        let time = repo.commit_info(&commit)?.time_ms;
        if newest.as_ref().is_none_or(|(best, ..)| time > *best) {
            newest = Some((time, ref_name, commit));
        }
    }
    Ok(newest.map(|(_, ref_name, commit)| (ref_name, commit)))
}
