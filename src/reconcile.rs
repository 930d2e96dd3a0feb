//! Finds pushes that nobody told us of: the server was down, a webhook was lost. A tip is deployed when this commit was
//! never tried in this environment, so that a rollback or a failed commit is never overridden.

use crate::config::App;
use crate::domain::{CommitId, EnvId, Kind, Origin};
use crate::pipeline::{self, Tools};
use crate::queue::{Queue, Wish};
use crate::store::deployments;
use crate::system::git::GitError;
use std::sync::Arc;

/// Looks at start, then every `reconcile`.
pub async fn watch(tools: Arc<Tools>, queue: Queue) {
    let mut ticks = tokio::time::interval(tools.server.reconcile);
    loop {
        ticks.tick().await;
        for app in tools.server.apps.values() {
            if let Err(error) = look(&tools, &queue, app).await {
                tracing::warn!(app = %app.name, error, "its repository cannot be compared with what serves");
            }
        }
    }
}

async fn look(tools: &Tools, queue: &Queue, app: &App) -> Result<(), String> {
    if let Err(pipeline::Stop::Failed(trouble)) = pipeline::transfer(tools, app).await {
        return Err(trouble.cause);
    }
    for env in &app.environments {
        let tip = newest_tip(tools, app, &env.id).map_err(|e| e.to_string())?;
        let Some((ref_name, commit)) = tip else {
            continue;
        };
        let (id, tried) = (env.id.clone(), commit.clone());
        let tried = tools
            .journal
            .store()
            .read(move |c| deployments::was_tried(c, &id, &tried))
            .await;
        if tried.map_err(|e| e.to_string())? {
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
        };
        queue.ask(wish).await.map_err(|e| e.to_string())?;
    }
    Ok(())
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
