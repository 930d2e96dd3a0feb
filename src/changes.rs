//! What a release changes against the last one that was good, for those who have to say yes to it and those who have to find
//! out why it failed.

use crate::domain::{CommitId, Deployment, Event, Record, Step, StepEnd};
use crate::pipeline::Tools;
use crate::report::{COMMITS, Changes};
use crate::store::{StoreError, deployments, events};
use std::collections::BTreeSet;

/// Files that say which versions of other people's code are used.
const LOCKFILES: [&str; 14] = [
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "Cargo.lock",
    "go.sum",
    "requirements.txt",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "Gemfile.lock",
    "composer.lock",
];

/// What the deployment changes; nothing where nothing was live before. What cannot be found out is left out: neither telling
/// nor asking fails for it.
pub async fn of(tools: &Tools, deployment: &Deployment) -> Result<Option<Changes>, StoreError> {
    let (env, id) = (deployment.env.clone(), deployment.id);
    let read = tools.journal.store().read(move |c| {
        let good = deployments::live_before(c, &env, id)?;
        Ok::<_, StoreError>((good, events::after(c, id, 0)?))
    });
    let (good, records) = read.await?;
    Ok(good.and_then(|good| between(tools, &good, deployment, &records)))
}

/// What the deployment, to which `records` happened, changes against the good one.
pub fn between(
    tools: &Tools,
    good: &Deployment,
    deployment: &Deployment,
    records: &[Record],
) -> Option<Changes> {
    let app = tools.server.apps.get(&deployment.env.app)?;
    let repo = tools.repo(app).ok()?;
    let log = repo.log_between(Some(&good.commit), &deployment.commit, COMMITS + 1);
    let log = log.unwrap_or_default();
    let commit =
        |id: &CommitId, subject: &str, author: &str| format!("{} {subject} ({author})", id.short());
    let commits = log.iter().take(COMMITS);
    let commits = commits.map(|info| commit(&info.id, &info.subject, &info.author));
    let paths = repo.changed_paths(&good.commit, &deployment.commit);
    let mut lockfiles = paths.unwrap_or_default();
    lockfiles.retain(|path| {
        let name = path.rsplit('/').next().unwrap_or_default();
        LOCKFILES.contains(&name)
    });
    Some(Changes {
        since: good.id,
        more: log.len() > COMMITS,
        commits: commits.collect(),
        lockfiles,
        settings: settings(tools, deployment, good).unwrap_or_default(),
        migrated: migrated(records),
    })
}

/// Why the database was moved, if it was.
fn migrated(records: &[Record]) -> Option<String> {
    records.iter().rev().find_map(|record| match &record.event {
        Event::StepEnded {
            step: Step::Migrate,
            end: StepEnd::Ran,
            why,
            ..
        } => Some(why.clone()),
        _ => None,
    })
}

/// The names of the settings that differ; values are nobody's business.
fn settings(tools: &Tools, deployment: &Deployment, good: &Deployment) -> Option<Vec<String>> {
    let (new, old) = (deployment.env_digest.as_ref()?, good.env_digest.as_ref()?);
    if new == old {
        return None;
    }
    let versions = tools.variables(&deployment.env);
    let (new, old) = (versions.load(new).ok()?, versions.load(old).ok()?);
    let names: BTreeSet<&String> = new.values.keys().chain(old.values.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| new.values.get(*name) != old.values.get(*name));
    Some(differ.cloned().collect())
}
