//! Finds pushes that nobody told us of: the server was down, a webhook was lost. A ref that is elsewhere than it was seen
//! last was pushed, also when it is back at a commit that was deployed before. One that stands still was not, so that a
//! rollback or a failed commit is never overridden. Where only some may deploy, a forge's branch does not say who moved it, so
//! what is found there is only reported.

use crate::access::{Permit, Want};
use crate::config::{App, Environment};
use crate::domain::{Account, Act, CommitId, EnvId, Kind, Origin};
use crate::pipeline::{self, Tools};
use crate::queue::{Moved, Queue, Wish, shown_ref};
use crate::store::{self, StoreError, deployments, passed_over};
use crate::system::git::{GitError, Repo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Refs, and the commits that they were at.
type Seen = BTreeMap<String, CommitId>;

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
    // Asked before the refs are looked at: a push that comes in between has moved its ref already, and an older look at the
    // ref must not be taken for a push that moved it back.
    let mut seen = Vec::new();
    for env in &app.environments {
        if env.triggers.pushes && (app.repo.is_none() || !env.reconcile.is_zero()) {
            seen.push((env, last_seen(tools, &env.id).await?));
        }
    }
    if let Err(pipeline::Stop::Failed(trouble)) = pipeline::transfer(tools, app).await {
        return Err(trouble.cause);
    }
    for (env, seen) in seen {
        compare(tools, queue, app, env, seen).await?;
    }
    Ok(())
}

/// Where an environment's refs were when they were seen last.
async fn last_seen(tools: &Tools, env: &EnvId) -> Result<Seen, String> {
    let env = env.clone();
    let seen = tools
        .journal
        .store()
        .read(move |c| store::tips::of(c, &env));
    seen.await.map_err(|e| e.to_string())
}

/// Somebody chose a release, or none: the tip that the environment's branch has now is not what they want, and no later look may put
/// it in the place of what they chose. Says so when that tip was never deployed.
pub async fn pass_over(
    tools: &Tools,
    env: &EnvId,
    chosen: Option<&CommitId>,
) -> Result<Option<String>, StoreError> {
    let Some((app, _)) = tools.environment(env) else {
        return Ok(None);
    };
    // A repository that cannot be read has no tip that could be deployed.
    let Ok(Some((ref_name, tip))) = newest_tip(tools, app, env) else {
        return Ok(None);
    };
    if Some(&tip) == chosen {
        return Ok(None);
    }
    let (id, passed, name) = (env.clone(), tip.clone(), ref_name.clone());
    let database = tools.journal.store();
    let was_tried = database
        .write(move |c| {
            let was_tried = deployments::was_tried(c, &id, &passed)?;
            if !was_tried {
                passed_over::add(c, &id, &passed)?;
            }
            store::tips::put(c, &id, &name, &passed)?;
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

/// Compares one environment's refs with where they were seen last, and deploys the newest one that has moved.
async fn compare(
    tools: &Tools,
    queue: &Queue,
    app: &App,
    env: &Environment,
    seen: Seen,
) -> Result<(), String> {
    let tips = tips(tools, app, &env.id).map_err(|e| e.to_string())?;
    let id = env.id.clone();
    let mut new_here = tips.clone();
    new_here.retain(|(ref_name, _)| !seen.contains_key(ref_name));
    let read = tools.journal.store().read(move |c| {
        let mut tried = BTreeSet::new();
        for (ref_name, commit) in new_here {
            if deployments::was_tried(c, &id, &commit)? || passed_over::has(c, &id, &commit)? {
                tried.insert(ref_name);
            }
        }
        Ok::<_, StoreError>(tried)
    });
    let tried = read.await.map_err(|e| e.to_string())?;
    let (moved, news) = {
        let repo = tools.repo(app).map_err(|e| e.to_string())?;
        // A delivery may have named the object of an annotated tag, whose commit is only known now.
        let peeled = |seen: &CommitId| repo.peel_commit(seen).ok().flatten();
        let moved = moved(&env.id, &seen, &tips, peeled);
        let is_news = |tip: &(String, CommitId)| {
            moved.iter().any(|one| one.ref_name == tip.0) && !tried.contains(&tip.0)
        };
        // Of an environment that was never looked at, only the newest tip of all is meant.
        let asked = tips.iter().filter(|tip| seen.is_empty() || is_news(tip));
        let news = newest_of(&repo, asked)
            .map_err(|e| e.to_string())?
            .filter(is_news);
        (moved, news)
    };
    if moved.is_empty() {
        return Ok(());
    }
    if app.repo.is_some() && env.allow.is_some() && news.is_some() {
        tracing::warn!(env = %env.id, "a push was not deployed, and who pushed it is not known: somebody whom `allow` names has to type teal deploy {}", env.id);
        return Ok(());
    }
    let permit = match &news {
        Some((ref_name, _)) => Some(permit(tools, &env.id, ref_name).await?),
        None => None,
    };
    let wish = news.map(|(ref_name, commit)| Wish {
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
    });
    let found = queue.found(moved, wish).await;
    if let (Some(id), Some(permit)) = (found.map_err(|e| e.to_string())?, permit) {
        tracing::info!(env = %env.id, "found a push that was not deployed");
        permit.made(id).await;
    }
    Ok(())
}

/// What has moved, come or gone since it was seen last.
fn moved(
    env: &EnvId,
    seen: &Seen,
    tips: &[(String, CommitId)],
    peeled: impl Fn(&CommitId) -> Option<CommitId>,
) -> Vec<Moved> {
    let differs = |(ref_name, commit): &&(String, CommitId)| {
        let before = seen.get(ref_name);
        before != Some(commit) && before.and_then(&peeled).as_ref() != Some(commit)
    };
    let there = tips.iter().filter(differs).map(|(ref_name, commit)| Moved {
        env: env.clone(),
        ref_name: ref_name.clone(),
        seen: seen.get(ref_name).cloned(),
        now: Some(commit.clone()),
    });
    let is_gone = |(name, _): &(&String, &CommitId)| !tips.iter().any(|(tip, _)| tip == *name);
    let gone = seen.iter().filter(is_gone).map(|(ref_name, commit)| Moved {
        env: env.clone(),
        ref_name: ref_name.clone(),
        seen: Some(commit.clone()),
        now: None,
    });
    there.chain(gone).collect()
}

/// Every ref that maps to the environment, with its commit.
fn tips(tools: &Tools, app: &App, env: &EnvId) -> Result<Vec<(String, CommitId)>, GitError> {
    let repo = tools.repo(app)?;
    let mut tips = match app.repo {
        Some(_) => repo.remote_tips()?,
        None => repo.tips()?,
    };
    let env = app.environments.iter().find(|one| &one.id == env);
    tips.retain(|(ref_name, _)| env.is_some_and(|env| env.takes(ref_name)));
    Ok(tips)
}

/// The one with the newest commit.
fn newest_of<'a>(
    repo: &Repo,
    tips: impl Iterator<Item = &'a (String, CommitId)>,
) -> Result<Option<(String, CommitId)>, GitError> {
    let mut newest: Option<(i64, &(String, CommitId))> = None;
    for tip in tips {
        let time = repo.commit_info(&tip.1)?.time_ms;
        if newest.as_ref().is_none_or(|(best, _)| time > *best) {
            newest = Some((time, tip));
        }
    }
    Ok(newest.map(|(_, tip)| tip.clone()))
}

/// Of all refs that map to the environment, the one with the newest commit.
pub fn newest_tip(
    tools: &Tools,
    app: &App,
    env: &EnvId,
) -> Result<Option<(String, CommitId)>, GitError> {
    newest_of(&tools.repo(app)?, tips(tools, app, env)?.iter())
}
