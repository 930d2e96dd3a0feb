//! Makes sure that the release that serves now is sealed, before anything is deployed over the other slot.

use super::outcome::{Done, Stop, Trouble};
use super::tools::blocking;
use super::{Run, beside};
use crate::domain::{Color, Step};
use crate::release::{self, About, Backup, Sealing};
use crate::store::environments::{self, Release};
use crate::system::clock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn backup(run: &mut Run<'_>) -> Result<Done, Stop> {
    let (Some(color), Some(serving)) = (run.from(), run.standing.serving().cloned()) else {
        return Ok(Done::Skipped(
            "first deployment: nothing serves that could be kept".to_owned(),
        ));
    };
    if let Some(name) = &serving.backup
        && run.shelf().find(name).is_ok()
    {
        return Ok(Done::Skipped(format!(
            "{name} holds it, sealed before it started"
        )));
    }
    let name = seal(run, color, &serving, Keys::default()).await?;
    run.shelf().mark_served(&name)?;
    let (env, kept) = (run.env.id.clone(), name.clone());
    let change = run.tools.journal.write(move |entry| {
        Ok(environments::change(
            entry.connection(),
            &env,
            |standing| {
                if let Some(release) = standing.slots.of_mut(color) {
                    release.backup = Some(kept);
                }
            },
        )?)
    });
    run.standing = change.await?;
    Ok(Done::Ran(format!(
        "{name}, as it is now: its own backup was gone"
    )))
}

/// What a release was made with, where that is known.
#[derive(Default)]
pub(super) struct Keys {
    pub migrate_key: Option<String>,
    pub keys: BTreeMap<Step, String>,
}

/// What the manifest says of a release.
fn about(color: Color, release: &Release, sealed: Keys) -> Result<About, Stop> {
    Ok(About {
        deployment: release.deployment,
        commit: release.commit.clone(),
        ref_name: release.ref_name.clone(),
        env_digest: Some(release.env_digest.clone()),
        created_ms: clock::now_ms(),
        color,
        recipe: serde_json::to_value(&release.recipe).map_err(Trouble::new)?,
        migrate_key: sealed.migrate_key,
        keys: sealed.keys,
    })
}

/// Seals a release as it stands in its slot; gives the backup's name.
async fn seal(
    run: &Run<'_>,
    color: Color,
    release: &Release,
    sealed: Keys,
) -> Result<String, Stop> {
    let about = about(color, release, sealed)?;
    let (shelf, slots) = (run.shelf(), run.slots.clone());
    let sealed = blocking(move || {
        let (slot, ledger) = (slots.slot(color), slots.ledger(color));
        let index = slots.index(color);
        Ok(release::seal(&shelf, &slot, &ledger, &index, about)?)
    });
    let sealed = sealed.await?;
    for note in &sealed.manifest.notes {
        run.note(note).await?;
    }
    Ok(sealed.name)
}

/// How long a build waits for what was installed to be sealed: small installations are whole by then, and no build can write
/// into them before their copies are made.
const HEAD_START: Duration = Duration::from_millis(150);

/// Begins to seal what was just installed, beside whatever comes next.
pub(super) async fn seal_ahead(run: &mut Run<'_>, key: String) -> Result<(), Stop> {
    let recipe = run.recipe()?;
    let (dir, folders) = (recipe.dir.clone(), recipe.steps.deps.clone());
    let (slots, color, stop) = (run.slots.clone(), run.color, Arc::clone(&run.beside.stop));
    let installed = blocking(move || {
        let (shelf, slot, ledger) = (slots.shelf(), slots.slot(color), slots.ledger(color));
        let what = (dir.as_str(), folders.as_slice());
        Ok(release::look_at_installed(
            &shelf, &slot, &ledger, &key, what,
        )?)
    });
    let installed = installed.await?;
    let mut sealing = tokio::spawn(blocking(move || Ok(installed.seal(&stop)?)));
    match tokio::time::timeout(HEAD_START, &mut sealing).await {
        Ok(ended) => beside::told(ended),
        Err(_) => run.beside.part = Some(sealing),
    }
    Ok(())
}

/// Whether a backup is one of this environment.
pub(super) fn is_own(run: &Run<'_>, backup: &Backup) -> bool {
    backup.path.parent() == Some(run.shelf().dir())
}

/// Looks at the finished release and copies what no backup has; from then on it may be written to.
pub(super) async fn begin(run: &mut Run<'_>) -> Result<Sealing, Stop> {
    run.beside.sealed_ahead().await;
    let (slots, color, seen) = (run.slots.clone(), run.color, run.seen.all());
    blocking(move || {
        let (shelf, slot, ledger) = (slots.shelf(), slots.slot(color), slots.ledger(color));
        let now = clock::now_ms();
        Ok(release::begin(&shelf, &slot, &ledger, now, &seen)?)
    })
    .await
}

/// Completes the backup beside whatever comes next; [`complete`] waits for it.
pub(super) fn complete_beside(
    run: &mut Run<'_>,
    sealing: Sealing,
    sealed: Keys,
) -> Result<(), Stop> {
    let about = about(run.color, run.release()?, sealed)?;
    let index = run.slots.index(run.color);
    run.beside.whole = Some(tokio::spawn(blocking(move || {
        Ok(sealing.finish(about, &index)?)
    })));
    Ok(())
}

/// Waits until the backup is whole, and with it the release in its slot on the disk: nothing may serve before that.
pub(super) async fn complete(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(whole) = run.beside.whole.take() else {
        return Ok(());
    };
    for note in beside::ended(whole).await?.manifest.notes {
        run.note(note).await?;
    }
    Ok(())
}

/// Removes the oldest backups beyond the configured number; the one that serves and the one before it stay.
pub(super) async fn prune(run: &Run<'_>) -> Result<(), Stop> {
    let standing = run.tools.journal.standing(&run.env.id).await?;
    let pinned: BTreeSet<String> = Color::BOTH
        .into_iter()
        .filter_map(|color| standing.slots.of(color).as_ref()?.backup.clone())
        .collect();
    let (slots, keep, most) = (run.slots.clone(), run.env.backups, run.env.backups_size);
    blocking(move || {
        let shelf = slots.shelf();
        let mut removed = shelf.discard_unserved(&pinned)?;
        removed.append(&mut shelf.prune(keep, &pinned)?);
        if let Some(most) = most {
            removed.append(&mut shelf.shrink(most, &pinned)?);
        }
        if !removed.is_empty() {
            slots.sweep()?;
        }
        Ok(())
    })
    .await
}
