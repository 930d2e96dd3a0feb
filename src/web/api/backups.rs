//! The sealed releases of an environment: which there are, and whether they are what was sealed.

use super::types::{BackupShown, BackupVerified, Which};
use super::{need, pick};
use crate::domain::{DeploymentId, EnvId, Role, Step};
use crate::journal::JournalError;
use crate::release::{self, Backup, BackupError};
use crate::store;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Json;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::StatusCode;

/// Those that served, the newest first.
pub(super) async fn list(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<BackupShown>>, Refusal> {
    let env = pick(worker.tools(), &which)?;
    need(&peer, &env, Role::Look)?;
    Ok(Json(backups_of(&worker, &env).await?))
}

/// The sealed releases that can be gone back to, the newest first.
pub(in crate::web) async fn backups_of(
    worker: &Worker,
    env: &EnvId,
) -> Result<Vec<BackupShown>, Refusal> {
    let standing = worker.tools().journal.standing(env).await?;
    let serving = standing
        .serving()
        .and_then(|release| release.backup.clone());
    let mut shown = Vec::new();
    for backup in served(worker, env)? {
        shown.push(BackupShown {
            subject: worker
                .tools()
                .subject(&env.app, &backup.manifest.about.commit),
            serving: serving.as_ref() == Some(&backup.name),
            migrated_by: migrated_after(worker, env, &backup).await?,
            name: backup.name,
            deployment: backup.manifest.about.deployment,
            commit: backup.manifest.about.commit,
            created_ms: backup.manifest.about.created_ms,
        });
    }
    Ok(shown)
}

/// Reads every file of those that served, and compares it with what was sealed.
pub(super) async fn verify(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<BackupVerified>>, Refusal> {
    let env = pick(worker.tools(), &which)?;
    need(&peer, &env, Role::Look)?;
    let kept = served(&worker, &env)?;
    let read = tokio::task::spawn_blocking(move || kept.into_iter().map(verified).collect());
    Ok(Json(read.await.map_err(Refusal::internal)?))
}

fn verified(backup: Backup) -> BackupVerified {
    let (compared, differences) = match release::verify(&backup) {
        Ok(verified) => {
            let lines = verified.differences.iter();
            let line = |found: &release::Difference| format!("{} {}", found.path, found.what);
            (verified.compared, lines.map(line).collect())
        }
        // A backup that cannot be read is damaged as well, and the others are worth looking at.
        Err(BackupError::Damaged { what, .. }) => (0, vec![what]),
        Err(error) => (0, vec![error.to_string()]),
    };
    BackupVerified {
        name: backup.name,
        compared,
        differences,
    }
}

fn served(worker: &Worker, env: &EnvId) -> Result<Vec<Backup>, Refusal> {
    let mut kept = all(worker, env)?;
    kept.retain(|backup| backup.manifest.served);
    kept.reverse();
    Ok(kept)
}

/// All of them, the oldest first.
pub(super) fn all(worker: &Worker, env: &EnvId) -> Result<Vec<Backup>, Refusal> {
    let Some((_, env)) = worker.tools().environment(env) else {
        return Ok(Vec::new());
    };
    worker.tools().shelf(env).list().map_err(Refusal::internal)
}

async fn migrated_after(
    worker: &Worker,
    env: &EnvId,
    backup: &Backup,
) -> Result<Option<DeploymentId>, Refusal> {
    let (scope, deployment) = (env.to_string(), backup.manifest.about.deployment);
    let store = worker.tools().journal.store();
    let after = store.read(move |c| store::keys::after(c, &scope, Step::Migrate, deployment));
    Ok(after.await.map_err(JournalError::from)?)
}

/// A refusal, if the database was migrated after the backup's release was built: nobody should find that out afterwards.
pub(super) async fn ask_about_the_database(
    worker: &Worker,
    env: &EnvId,
    backup: &Backup,
) -> Result<(), Refusal> {
    let Some(id) = migrated_after(worker, env, backup).await? else {
        return Ok(());
    };
    let point = worker.tools().journal.deployment(id).await?.restore_point;
    let point = point.map_or_else(String::new, |point| format!("; its restore point: {point}"));
    Err(Refusal::new(
        StatusCode::CONFLICT,
        format!(
            "deployment {id} migrated the database after {} was built, and going back does not undo that{point}",
            backup.name
        ),
    )
    .next(format!(
        "if this release can run on the present schema: teal rollback {} --to {} --yes",
        env.env, backup.name
    )))
}
