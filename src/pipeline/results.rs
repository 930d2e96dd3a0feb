//! The results of install and build: which ones a slot has, and where one can be had instead of made again. A result
//! is trusted by the key that it was made with; a failed or half-finished step leaves none.

use super::outcome::{Done, Need, Stop};
use super::tools::blocking;
use super::{Run, Tools};
use crate::domain::{Mode, Step};
use crate::release::{self, Backup};
use crate::system::files::{self, AtPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is known of a result in a slot.
#[derive(Serialize, Deserialize)]
struct Made {
    key: String,
    /// The folders that were there when it was made: an app without dependencies has no `node_modules`.
    folders: Vec<String>,
}

/// The results in the slot that a deployment fills.
pub(super) struct Results<'a> {
    run: &'a Run<'a>,
    dir: PathBuf,
}

impl<'a> Results<'a> {
    pub(super) fn of(run: &'a Run<'a>) -> Results<'a> {
        Results {
            dir: run.slots.meta(run.color),
            run,
        }
    }

    /// Whether the step has to run for this key. `folders` are what it fills; a step that does not say what it fills
    /// always runs.
    pub(super) fn need(&self, step: Step, key: &str, folders: &[String]) -> Result<Need, Stop> {
        if self.run.deployment.mode == Mode::Full {
            return Ok(Need::Run("from scratch".to_owned()));
        }
        if folders.is_empty() {
            return Ok(Need::Run(
                "what it makes is not declared, so it always runs".to_owned(),
            ));
        }
        let made = self.made(step)?;
        if let Some(made) = made.as_ref().filter(|made| made.key == key) {
            let app_dir = self.run.place()?.app_dir();
            match made
                .folders
                .iter()
                .find(|folder| !app_dir.join(folder).exists())
            {
                None => return Ok(Need::Skip("same inputs as in this slot".to_owned())),
                Some(gone) => return Ok(Need::Run(format!("`{gone}` is missing"))),
            }
        }
        if let Some(lender) = lender(self.run, step, key, folders)? {
            let words = format!(
                "same inputs as deployment {}: copied",
                lender.manifest.about.deployment
            );
            return Ok(Need::Lend(Box::new(lender), words));
        }
        Ok(Need::Run(match made {
            Some(_) => "its inputs changed".to_owned(),
            None => format!("{} has no result of {step} yet", self.run.color),
        }))
    }

    /// Copies a result out of a sealed release into the slot.
    pub(super) async fn borrow_from(
        &self,
        lender: Backup,
        step: Step,
        key: &str,
        folders: &[String],
    ) -> Result<(), Stop> {
        self.forget(step)?;
        let (dir, slot, wanted) = (
            self.run.recipe()?.dir.clone(),
            self.run.slot(),
            folders.to_vec(),
        );
        blocking(move || Ok(release::lend(&lender, &dir, &wanted, &slot)?)).await?;
        self.remember(step, key, folders)
    }

    /// Says, before the step begins, that its result is not whole.
    pub(super) fn forget(&self, step: Step) -> Result<(), Stop> {
        let file = self.file(step);
        Ok(files::remove_if_there(&file).at("remove", &file)?)
    }

    /// Says that the result of the step is whole.
    pub(super) fn remember(&self, step: Step, key: &str, folders: &[String]) -> Result<(), Stop> {
        let app_dir = self.run.place()?.app_dir();
        let there = folders
            .iter()
            .filter(|folder| app_dir.join(folder).exists());
        let made = Made {
            key: key.to_owned(),
            folders: there.cloned().collect(),
        };
        self.write(step, &made)
    }

    /// The keys of all results in the slot, for the seal.
    pub(super) fn keys(&self) -> Result<BTreeMap<Step, String>, Stop> {
        let mut keys = BTreeMap::new();
        for step in [Step::Deps, Step::Build] {
            if let Some(made) = self.made(step)? {
                keys.insert(step, made.key);
            }
        }
        Ok(keys)
    }

    /// The slot was filled from a sealed release: it has the results that were sealed, and no others.
    pub(super) fn become_those_of(&self, backup: &Backup) -> Result<(), Stop> {
        for step in [Step::Deps, Step::Build] {
            match backup.manifest.about.keys.get(&step) {
                Some(key) => {
                    let folders = Vec::new();
                    self.write(
                        step,
                        &Made {
                            key: key.clone(),
                            folders,
                        },
                    )?;
                }
                None => self.forget(step)?,
            }
        }
        Ok(())
    }

    fn made(&self, step: Step) -> Result<Option<Made>, Stop> {
        let text = files::read_if_there(&self.file(step))?;
        // A file that cannot be read is a result that is not there.
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn write(&self, step: Step, made: &Made) -> Result<(), Stop> {
        files::create_dir(&self.dir, 0o700)?;
        let text = serde_json::to_vec(made).unwrap_or_default();
        Ok(files::write_atomic(&self.file(step), &text, 0o600)?)
    }

    fn file(&self, step: Step) -> PathBuf {
        self.dir.join(format!("{step}.json"))
    }
}

/// Does what install and build have in common: nothing, or a copy, or `make`.
pub(super) async fn obtain(
    run: &Run<'_>,
    step: Step,
    need: Need,
    key: &str,
    folders: &[String],
    make: impl Future<Output = Result<(), Stop>>,
) -> Result<Done, Stop> {
    let results = Results::of(run);
    match need {
        Need::Skip(why) => Ok(Done::Skipped(why)),
        Need::Lend(lender, why) => {
            results.borrow_from(*lender, step, key, folders).await?;
            Ok(Done::Skipped(why))
        }
        Need::Run(why) => {
            results.forget(step)?;
            make.await?;
            results.remember(step, key, folders)?;
            Ok(Done::Ran(why))
        }
    }
}

/// The newest sealed release of the app, in whatever environment, that has this result and can lend it.
fn lender(
    run: &Run<'_>,
    step: Step,
    key: &str,
    folders: &[String],
) -> Result<Option<Backup>, Stop> {
    let tools: &Tools = run.tools;
    for env in std::iter::once(run.env).chain(&run.app.environments) {
        let sealed = tools.shelf(env).list()?;
        let mut with_key = sealed
            .into_iter()
            .rev()
            .filter(|b| b.manifest.about.keys.get(&step).is_some_and(|k| k == key));
        if let Some(backup) = with_key.next()
            && release::can_lend(&backup, &run.recipe()?.dir, folders)?
        {
            return Ok(Some(backup));
        }
    }
    Ok(None)
}
