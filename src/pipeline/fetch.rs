//! Brings the commit into the bare repository, holds it against collection, and reads its recipe.

use super::outcome::{Done, Stop, Trouble};
use super::{Run, Tools};
use crate::config::RepoView;
use crate::config::{App, Recipe};
use crate::domain::{CommitId, Kind, Origin};
use crate::queue::shown_ref;
use crate::store::environments::Release;
use crate::store::tips;
use crate::system::git::{Fetch, Remote, Repo};
use crate::system::programs;
use std::time::Duration;

/// How long a remote may take.
const DEADLINE: Duration = Duration::from_secs(600);

pub(super) async fn fetch(run: &mut Run<'_>) -> Result<Done, Stop> {
    super::room::look(run).await?;
    let done = bring(run).await?;
    let (id, commit) = (run.id(), run.deployment.commit.clone());
    let recipe = {
        let repo = run.repo()?;
        repo.hold(id, &commit)?;
        recipe(&repo, &commit)?
    };
    for warning in recipe.warnings.clone() {
        run.note(warning).await?;
    }
    run.release = Some(Release {
        deployment: id,
        commit,
        ref_name: run.deployment.ref_name.clone(),
        recipe,
        env_digest: run.variables.digest.clone(),
        backup: None,
        served: false,
    });
    let digest = run.variables.digest.clone();
    run.soon(move |entry| {
        entry.change(id, |deployment| deployment.env_digest = Some(digest))?;
        Ok(())
    })?;
    Ok(done)
}

async fn bring(run: &mut Run<'_>) -> Result<Done, Stop> {
    let wanted = run.deployment.commit.clone();
    let Some(remote) = &run.app.repo else {
        return here(run, &wanted).await;
    };
    let is_meant = run.deployment.origin.means_a_commit();
    if is_meant && run.repo()?.contains(&wanted)? {
        return Ok(Done::Skipped("the commit is here".to_owned()));
    }
    tokio::select! {
        fetched = transfer(run.tools, run.app) => fetched?,
        why = run.cancel.wait() => return Err(Stop::Cancelled(why)),
    }
    if is_meant {
        return match run.repo()?.contains(&wanted)? {
            true => Ok(Done::Ran(String::new())),
            false => Err(
                Trouble::new(format!("{remote} has no commit {}", wanted.short()))
                    .next("push it there, or deploy another commit")
                    .into(),
            ),
        };
    }
    let tip = run.repo()?.remote_tip(&run.deployment.ref_name)?;
    if let Some(tip) = &tip {
        unless_it_serves(run, tip)?;
    }
    match tip {
        Some(tip) if tip == wanted => Ok(Done::Ran(String::new())),
        // Neither is what CI has said of one commit said of the next.
        Some(tip)
            if (run.env.allow.is_some() || run.env.after.is_some())
                && !same(run, &wanted, &tip)? =>
        {
            Err(Stop::Cancelled(somebody_elses(run, &wanted, &tip)))
        }
        Some(tip) => moved_on(run, tip).await,
        None => Err(Trouble::new(format!(
            "{} is no longer in {remote}",
            shown_ref(&run.deployment.ref_name)
        ))
        .next("push it again, or deploy another ref")
        .into()),
    }
}

/// Whether what the delivery named is the tip itself: a tag's object stands for its commit.
fn same(run: &mut Run<'_>, named: &CommitId, tip: &CommitId) -> Result<bool, Stop> {
    Ok(run.repo()?.peel_commit(named)?.as_ref() == Some(tip))
}

/// Where only some may deploy, what somebody pushed behind the one who may is not theirs to bring along.
fn somebody_elses(run: &Run<'_>, named: &CommitId, tip: &CommitId) -> String {
    format!(
        "{} moved on from {} to {}, whose own delivery decides whether it may go live here",
        shown_ref(&run.deployment.ref_name),
        named.short(),
        tip.short()
    )
}

/// What the app is fetched from, where it is fetched.
pub fn remote(tools: &Tools, app: &App) -> Option<Remote> {
    Some(Remote {
        url: app.repo.clone()?,
        credentials: app.credentials.clone(),
        known_hosts: tools.server.state_dir.join("known_hosts"),
        largest: app.largest_push,
    })
}

/// Fetches all branches and tags of the app's remote into a namespace of their own.
pub async fn transfer(tools: &Tools, app: &App) -> Result<(), Stop> {
    let Some(remote) = remote(tools, app) else {
        return Ok(());
    };
    let _turn = match tools.fetching.get(&app.name) {
        Some(turns) => Some(turns.lock().await),
        None => None,
    };
    Ok(remote
        .fetch(&tools.repo_path(app), &Fetch::Everything, DEADLINE)
        .await?)
}

/// An app that is pushed straight to this server has its commits here already; a tag is peeled.
async fn here(run: &mut Run<'_>, wanted: &CommitId) -> Result<Done, Stop> {
    let commit = run.repo()?.peel_commit(wanted)?;
    match commit {
        Some(commit) => {
            set_commit(run, commit).await?;
            Ok(Done::Skipped("the commit is here".to_owned()))
        }
        None => Err(Trouble::new(format!(
            "commit {} is not in {}: it was removed by a later push",
            wanted.short(),
            run.tools.repo_path(run.app).display()
        ))
        .next("push again")
        .into()),
    }
}

/// Nobody who sends an old delivery again has the release that serves made once more.
fn unless_it_serves(run: &Run<'_>, tip: &CommitId) -> Result<(), Stop> {
    let serves = run.standing.serving().is_some_and(|now| &now.commit == tip);
    let by_hand = run.deployment.redeploy
        || !matches!(run.deployment.origin, Origin::Webhook | Origin::Reconcile);
    if by_hand || !serves {
        return Ok(());
    }
    Err(Stop::Cancelled(format!(
        "{} is at {}, which serves already: there is nothing to deploy",
        shown_ref(&run.deployment.ref_name),
        tip.short()
    )))
}

/// A webhook deploys its ref's present tip only, whatever commit the delivery named: an old or repeated delivery can
/// never bring an old commit back.
async fn moved_on(run: &mut Run<'_>, tip: CommitId) -> Result<Done, Stop> {
    let named = run.deployment.commit.clone();
    let peeled = run.repo()?.peel_commit(&named)?;
    let told = (peeled.as_ref() != Some(&tip)).then(|| {
        format!(
            "{} is at {} now, so that is deployed instead of {}",
            shown_ref(&run.deployment.ref_name),
            tip.short(),
            named.short()
        )
    });
    set_commit(run, tip).await?;
    Ok(Done::Ran(told.unwrap_or_default()))
}

/// The recipe of a commit, read from git without a checkout.
pub(super) fn recipe(repo: &Repo, commit: &CommitId) -> Result<Recipe, Stop> {
    let tree = repo.tree(commit)?;
    let view = RepoView::of_tree(repo.git(), &tree);
    Ok(Recipe::resolve(&view, &programs::version)?)
}

async fn set_commit(run: &mut Run<'_>, commit: CommitId) -> Result<(), Stop> {
    if run.deployment.commit != commit {
        run.deployment.commit = commit.clone();
        let id = run.id();
        let is_tip = !run.deployment.origin.means_a_commit() && run.deployment.kind == Kind::Deploy;
        let change = run.tools.journal.write(move |entry| {
            let changed = entry.change(id, |deployment| deployment.commit = commit)?;
            if is_tip {
                // What the ref was seen at is what is deployed, not what an older delivery has named.
                let (env, ref_name) = (&changed.env, &changed.ref_name);
                tips::put(entry.connection(), env, ref_name, &changed.commit)?;
            }
            Ok(())
        });
        change.await?;
    }
    Ok(())
}
