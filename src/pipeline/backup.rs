//! Makes sure that the release that serves now is sealed, before anything is deployed over the other slot.

use super::Run;
use super::outcome::{Done, Stop, Trouble};
use super::tools::blocking;
use crate::domain::{Color, Step};
use crate::release::{self, About};
use crate::store::environments::{self, Release};
use crate::system::clock;
use std::collections::{BTreeMap, BTreeSet};

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

/// Seals a release as it stands in its slot; gives the backup's name.
pub(super) async fn seal(
    run: &Run<'_>,
    color: Color,
    release: &Release,
    sealed: Keys,
) -> Result<String, Stop> {
    let about = About {
        deployment: release.deployment,
        commit: release.commit.clone(),
        ref_name: release.ref_name.clone(),
        env_digest: Some(release.env_digest.clone()),
        created_ms: clock::now_ms(),
        color,
        recipe: serde_json::to_value(&release.recipe).map_err(Trouble::new)?,
        migrate_key: sealed.migrate_key,
        keys: sealed.keys,
    };
    let (shelf, slots) = (run.shelf(), run.slots.clone());
    let sealed = blocking(move || {
        Ok(release::seal(
            &shelf,
            &slots.slot(color),
            &slots.index(color),
            about,
        )?)
    });
    let sealed = sealed.await?;
    for note in &sealed.manifest.notes {
        run.note(note).await?;
    }
    Ok(sealed.name)
}

/// Removes the oldest backups beyond the configured number; the one that serves and the one before it stay.
pub(super) async fn prune(run: &Run<'_>) -> Result<(), Stop> {
    let standing = run.tools.journal.standing(&run.env.id).await?;
    let pinned: BTreeSet<String> = Color::BOTH
        .into_iter()
        .filter_map(|color| standing.slots.of(color).as_ref()?.backup.clone())
        .collect();
    let (shelf, keep) = (run.shelf(), run.env.backups);
    blocking(move || {
        shelf.discard_unserved(&pinned)?;
        shelf.prune(keep, &pinned)?;
        Ok(())
    })
    .await
}
