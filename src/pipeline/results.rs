//! The results of install and build: which ones a slot has, and where one can be had instead of made again. A result
//! is trusted by the key that it was made with; a failed or half-finished step leaves none.

use super::keys::Inputs;
use super::outcome::{Done, Need, Stop};
use super::tools::blocking;
use super::{Run, Tools, lending, why};
use crate::domain::{Color, DeploymentId, Mode, Step};
use crate::release::{self, Backup, Lender, Shelf, Slots};
use crate::system::files::{self, AtPath};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What is known of a result in a slot.
#[derive(Serialize, Deserialize)]
struct Made {
    key: String,
    /// The deployment that made it; an older Teal kept none.
    #[serde(default)]
    deployment: Option<DeploymentId>,
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

    /// Whether the step has to run for these inputs. `folders` are what it fills; a step that does not say what it fills
    /// always runs.
    pub(super) async fn need(
        &self,
        step: Step,
        inputs: &Inputs,
        folders: &[String],
    ) -> Result<Need, Stop> {
        if self.run.deployment.mode == Mode::Full {
            return Ok(Need::Run("from scratch".to_owned()));
        }
        if folders.is_empty() {
            return Ok(Need::Run(
                "what it makes is not declared, so it always runs".to_owned(),
            ));
        }
        let key = inputs.key(step);
        if let Some(made) = self.made(step)?.filter(|made| made.key == key) {
            let app_dir = self.run.place()?.app_dir();
            let mut all = made.folders.iter();
            return Ok(match all.find(|folder| !app_dir.join(folder).exists()) {
                Some(gone) => Need::Run(format!("`{gone}` is missing")),
                None => Need::Skip(match made.deployment {
                    Some(id) => format!("same inputs as deployment {id}"),
                    None => "same inputs as in this slot".to_owned(),
                }),
            });
        }
        let lender = lending::lender(self.run, step, &key, folders)?;
        let is_installed = step == Step::Deps && installed_at(self.run, &key).is_some();
        if let Some((env, lender)) = lender {
            let id = lender.backup.manifest.about.deployment;
            let words = match env == self.run.env.id {
                true => format!("same inputs as deployment {id}: copied"),
                false => format!("lent by {}'s deployment {id}", env.env),
            };
            return Ok(match is_installed {
                true => Need::PutBack(id, words),
                false => Need::Lend(lender, words),
            });
        }
        if is_installed {
            let words = "same inputs as an earlier installation: copied".to_owned();
            return Ok(Need::PutBack(self.run.id(), words));
        }
        Ok(Need::Run(self.why(step, &key, inputs).await?))
    }

    /// Why no result fits.
    async fn why(&self, step: Step, key: &str, inputs: &Inputs) -> Result<String, Stop> {
        let what = if step == Step::Deps {
            "installed"
        } else {
            "built"
        };
        Ok(match why::last(self.run, self.scope(), step).await? {
            None => format!("nothing was {what} here yet"),
            // It cannot be copied (a virtualenv holds absolute paths), or its backup is gone.
            Some(last) if last.key == key => format!(
                "same inputs as deployment {}, {what} anew for {}",
                last.deployment, self.run.color
            ),
            Some(last) => why::differs(self.run, &last, inputs)?,
        })
    }

    /// What was made last is told per environment.
    fn scope(&self) -> String {
        self.run.env.id.to_string()
    }

    /// Copies a result out of a sealed release into the slot: `folders` are what the step fills, `lent` all that came of it.
    pub(super) async fn borrow_from(
        &self,
        lender: Arc<Lender>,
        step: Step,
        inputs: &Inputs,
        folders: &[String],
        lent: Vec<String>,
    ) -> Result<(), Stop> {
        self.forget(step)?;
        let maker = lender.backup.manifest.about.deployment;
        lending::borrow(self.run, lender, lent).await?;
        self.remember(step, inputs, folders, maker).await
    }

    /// Says, before the step begins, that its result is not whole.
    pub(super) fn forget(&self, step: Step) -> Result<(), Stop> {
        let file = self.file(step);
        Ok(files::remove_if_there(&file).at("remove", &file)?)
    }

    /// Says that the result of the step is whole, and which deployment made it.
    pub(super) async fn remember(
        &self,
        step: Step,
        inputs: &Inputs,
        folders: &[String],
        maker: DeploymentId,
    ) -> Result<(), Stop> {
        let app_dir = self.run.place()?.app_dir();
        let there = folders
            .iter()
            .filter(|folder| app_dir.join(folder).exists());
        let made = Made {
            key: inputs.key(step),
            deployment: Some(maker),
            folders: there.cloned().collect(),
        };
        self.write(step, &made)?;
        why::remember(self.run, self.scope(), step, inputs, maker).await
    }

    /// The result in the slot serves once more: what comes next is compared with it.
    pub(super) async fn reuse(&self, step: Step, inputs: &Inputs) -> Result<(), Stop> {
        let made = self.made(step)?;
        let maker = made
            .and_then(|made| made.deployment)
            .unwrap_or(self.run.id());
        why::remember(self.run, self.scope(), step, inputs, maker).await
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
                            deployment: Some(backup.manifest.about.deployment),
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
        made(&self.dir, step)
    }

    fn write(&self, step: Step, made: &Made) -> Result<(), Stop> {
        write(&self.dir, step, made)
    }

    fn file(&self, step: Step) -> PathBuf {
        file(&self.dir, step)
    }
}

fn made(dir: &Path, step: Step) -> Result<Option<Made>, Stop> {
    let text = files::read_if_there(&file(dir, step))?;
    // A file that cannot be read is a result that is not there.
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn write(dir: &Path, step: Step, made: &Made) -> Result<(), Stop> {
    files::create_dir(dir, 0o700)?;
    let text = serde_json::to_vec(made).unwrap_or_default();
    Ok(files::write_atomic(&file(dir, step), &text, 0o600)?)
}

fn file(dir: &Path, step: Step) -> PathBuf {
    dir.join(format!("{step}.json"))
}

/// Puts what the slot that serves has installed into the other one, if that is empty: the next deployment then finds it
/// there. Ends early when it is told to; what it did not complete is not there for anybody.
pub(super) fn prepare(slots: &Slots, active: Color, stop: &AtomicBool) -> Result<bool, Stop> {
    let standby = active.other();
    let (slot, meta) = (slots.slot(standby), slots.meta(standby));
    let shelf = slots.shelf();
    let Some(installed) = made(&slots.meta(active), Step::Deps)? else {
        return Ok(false);
    };
    if !shelf.has_installed(&installed.key) || !release::begin_empty(&slot, &slots.index(standby))?
    {
        return Ok(false);
    }
    let ledger = slots.ledger(standby);
    let put = release::put_back_installed(&shelf, &installed.key, &slot, &shelf, &ledger, stop)?;
    if put.is_some() {
        write(&meta, Step::Deps, &installed)?;
    }
    Ok(put.is_some())
}

/// Does what install and build have in common: nothing, or a copy, or `make`.
pub(super) async fn obtain(
    run: &Run<'_>,
    step: Step,
    need: Need,
    inputs: &Inputs,
    folders: &[String],
    make: impl Future<Output = Result<(), Stop>>,
) -> Result<Done, Stop> {
    let results = Results::of(run);
    match need {
        Need::Skip(why) => {
            results.reuse(step, inputs).await?;
            Ok(Done::Skipped(why))
        }
        Need::PutBack(maker, why) => {
            results.forget(step)?;
            put_back(run, &inputs.key(step)).await?;
            results.remember(step, inputs, folders, maker).await?;
            Ok(Done::Skipped(why))
        }
        Need::Lend(lender, why) => {
            let lent = folders.to_vec();
            let borrowed = results.borrow_from(lender, step, inputs, folders, lent);
            borrowed.await?;
            Ok(Done::Skipped(why))
        }
        Need::Run(why) => {
            results.forget(step)?;
            make.await?;
            results.remember(step, inputs, folders, run.id()).await?;
            Ok(Done::Ran(why))
        }
    }
}

/// What a step that was skipped says when something else wrote to its result.
pub(super) fn skipped(why: String, put_back: usize) -> Done {
    Done::Skipped(match put_back {
        0 => why,
        1 => format!("{why}; 1 file that was altered since was put back"),
        count => format!("{why}; {count} files that were altered since were put back"),
    })
}

/// The sealed releases of the environment, here or beside it, that have what an installation with this key made.
pub(super) fn installed_at(run: &Run<'_>, key: &str) -> Option<Shelf> {
    let tools: &Tools = run.tools;
    std::iter::once(run.env)
        .chain(&run.app.environments)
        .map(|env| tools.shelf(env))
        .find(|shelf| shelf.has_installed(key))
}

/// Makes the slot's installed folders what an installation with this key made; says how many files had to be copied.
pub(super) async fn put_back(run: &Run<'_>, key: &str) -> Result<usize, Stop> {
    let Some(from) = installed_at(run, key) else {
        return Ok(0);
    };
    let (slots, color, key) = (run.slots.clone(), run.color, key.to_owned());
    let put = blocking(move || {
        let (slot, ledger) = (slots.slot(color), slots.ledger(color));
        let never = AtomicBool::new(false);
        let shelf = slots.shelf();
        let put = release::put_back_installed(&from, &key, &slot, &shelf, &ledger, &never)?;
        Ok(put.unwrap_or_default())
    });
    let put = put.await;
    if put.is_err() {
        // What is there now is neither.
        Results::of(run).forget(Step::Deps)?;
    }
    Ok(run.seen.add(put?))
}
