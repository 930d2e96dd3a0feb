//! What decides whether a step has to run again: its key is made of all that its result depends on.

use super::Run;
use super::outcome::{Need, Stop};
use crate::domain::{Color, Mode, Step};
use crate::system::git::Repo;
use crate::system::{files, programs};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// A key under construction: named parts, so that no two different inputs look alike.
struct Key(Sha256);

impl Key {
    fn new(step: Step) -> Key {
        Key(Sha256::new()).with("step", step.as_str())
    }

    fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Key {
        let value = value.as_ref();
        self.0.update(format!("{name} {}\n", value.len()));
        self.0.update(value);
        self
    }

    fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// Of `install`: lockfiles, command, platform and the configuration that it sees.
pub(super) fn deps(run: &Run<'_>) -> Result<String, Stop> {
    let (repo, recipe) = (run.repo()?, run.recipe()?);
    let mut key = Key::new(Step::Deps)
        .with(
            "command",
            recipe.steps.install.as_deref().unwrap_or_default(),
        )
        .with(
            "platform",
            format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        )
        .with("tools", tools());
    for file in &recipe.steps.lockfiles {
        let path = in_dir(&recipe.dir, file);
        let blob = repo
            .id_at(&run.release()?.commit, &path)?
            .unwrap_or_default();
        key = key.with(&path, blob);
    }
    Ok(seen(run, key)?.finish())
}

/// A new runtime can need other dependencies, so its version counts; which of them an app uses is not known here.
fn tools() -> String {
    let known = ["node", "npm", "python3", "cargo", "go"]
        .map(|tool| programs::version(tool).unwrap_or_default());
    known.join("\n")
}

/// Of `build`: every tracked file bar the ignored ones, the dependencies, the command and the configuration that it sees.
pub(super) fn build(run: &Run<'_>) -> Result<String, Stop> {
    let recipe = run.recipe()?;
    let key = Key::new(Step::Build)
        .with("deps", deps(run)?)
        .with("command", recipe.steps.build.as_deref().unwrap_or_default())
        .with("tree", tree(run)?);
    Ok(seen(run, key)?.finish())
}

/// Of `test`: what was built, and the command.
pub(super) fn test(run: &Run<'_>) -> Result<String, Stop> {
    let command = run.recipe()?.steps.test.clone().unwrap_or_default();
    Ok(Key::new(Step::Test)
        .with("build", build(run)?)
        .with("command", command)
        .finish())
}

/// Of `migrate`: the files that it declares as its inputs; none, when it has to run always.
pub(super) fn migrate(run: &Run<'_>) -> Result<Option<String>, Stop> {
    let recipe = run.recipe()?;
    if recipe.steps.migrate_inputs.is_empty() {
        return Ok(None);
    }
    let repo = run.repo()?;
    let chosen = recipe.steps.migration_files();
    let files = repo.digest_of(&run.release()?.commit, &recipe.dir, |path| {
        chosen.is_match(path)
    })?;
    let command = recipe.steps.migrate.clone().unwrap_or_default();
    Ok(Some(
        Key::new(Step::Migrate)
            .with("command", command)
            .with("files", files)
            .finish(),
    ))
}

fn tree(run: &Run<'_>) -> Result<String, Stop> {
    let recipe = run.recipe()?;
    let repo: Repo = run.repo()?;
    let ignored = recipe.steps.ignored();
    Ok(repo.digest_of(&run.release()?.commit, &recipe.dir, |path| {
        !ignored.is_match(path)
    })?)
}

fn seen(run: &Run<'_>, mut key: Key) -> Result<Key, Stop> {
    let recipe = run.recipe()?;
    for (name, value) in &run.variables.values {
        if recipe.build_sees(name) {
            key = key.with(name, value);
        }
    }
    Ok(key)
}

fn in_dir(dir: &str, file: &str) -> String {
    match dir {
        "." => file.to_owned(),
        dir => format!("{dir}/{file}"),
    }
}

/// What follows from what was found in the slot: `why` is the reason to run, if there is one.
pub(super) fn need(run: &Run<'_>, why: Option<String>, same: &str) -> Need {
    match (why, run.deployment.mode) {
        (Some(why), _) => Need::Run(why),
        (None, Mode::Full) => Need::Run("from scratch".to_owned()),
        (None, Mode::Fast) => Need::Skip(same.to_owned()),
    }
}

/// Which keys the untracked folders of a slot were made with.
pub(super) struct Slot {
    dir: PathBuf,
}

impl Slot {
    /// The keys of the slot that this deployment fills.
    pub(super) fn of(run: &Run<'_>) -> Slot {
        Slot::of_color(run, run.color)
    }

    /// The keys of that color's slot.
    pub(super) fn of_color(run: &Run<'_>, color: Color) -> Slot {
        Slot {
            dir: run.slots.meta(color),
        }
    }

    /// Nothing when the step's result with this key lies in the slot; else why it has to run.
    pub(super) fn unless(
        &self,
        step: Step,
        key: &str,
        outputs: &[String],
        run: &Run<'_>,
    ) -> Result<Option<String>, Stop> {
        let Some(made_with) = files::read_if_there(&self.file(step))? else {
            return Ok(Some(format!("{} has no result of {step} yet", run.color)));
        };
        if made_with != key {
            return Ok(Some("its inputs changed".to_owned()));
        }
        let app_dir = run.slot().join(&run.recipe()?.dir);
        let missing = outputs.iter().find(|output| !app_dir.join(output).exists());
        Ok(missing.map(|output| format!("`{output}` is missing")))
    }

    /// Says, before the step begins, that its result is not whole.
    pub(super) fn forget(&self, step: Step) -> Result<(), Stop> {
        use files::AtPath;
        let file = self.file(step);
        Ok(files::remove_if_there(&file).at("remove", &file)?)
    }

    /// Says that the result of the step is whole.
    pub(super) fn remember(&self, step: Step, key: &str) -> Result<(), Stop> {
        Ok(files::write_atomic(
            &self.file(step),
            key.as_bytes(),
            0o644,
        )?)
    }

    fn file(&self, step: Step) -> PathBuf {
        self.dir.join(format!("{step}.key"))
    }
}
