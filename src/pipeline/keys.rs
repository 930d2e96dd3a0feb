//! What decides whether a step has to run again: its key is made of all that its result depends on.

use super::Run;
use super::outcome::Stop;
use crate::domain::Step;
use crate::system::programs;
use sha2::{Digest, Sha256};

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

/// Of `install`: lockfiles, command, platform, runtime versions and the configuration that it sees.
pub(super) fn deps(run: &Run<'_>) -> Result<String, Stop> {
    let (repo, recipe) = (run.repo()?, run.recipe()?);
    let commit = &run.release()?.commit;
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let mut key = Key::new(Step::Deps)
        .with(
            "command",
            recipe.steps.install.as_deref().unwrap_or_default(),
        )
        .with("platform", platform)
        .with("tools", tools());
    for file in &recipe.steps.lockfiles {
        let path = in_dir(&recipe.dir, file);
        let blob = repo.id_at(commit, &path)?.unwrap_or_default();
        key = key.with(&path, blob);
    }
    Ok(seen(run, key)?.finish())
}

/// A new runtime can need other dependencies, so its version counts; which of them an app uses is not known here.
fn tools() -> String {
    let version = |tool| programs::version(tool).unwrap_or_default();
    ["node", "npm", "python3", "cargo", "go"]
        .map(version)
        .join("\n")
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
    let key = Key::new(Step::Test).with("build", build(run)?);
    Ok(key.with("command", command).finish())
}

/// Of `migrate`: the files that it declares as its inputs; none, when it has to run always.
pub(super) fn migrate(run: &Run<'_>) -> Result<Option<String>, Stop> {
    let recipe = run.recipe()?;
    if recipe.steps.migrate_inputs.is_empty() {
        return Ok(None);
    }
    let chosen = recipe.steps.migration_files();
    let commit = &run.release()?.commit;
    let files = run
        .repo()?
        .digest_of(commit, &recipe.dir, |path| chosen.is_match(path))?;
    let command = recipe.steps.migrate.clone().unwrap_or_default();
    let key = Key::new(Step::Migrate).with("command", command);
    Ok(Some(key.with("files", files).finish()))
}

fn tree(run: &Run<'_>) -> Result<String, Stop> {
    let recipe = run.recipe()?;
    let ignored = recipe.steps.ignored();
    let commit = &run.release()?.commit;
    Ok(run
        .repo()?
        .digest_of(commit, &recipe.dir, |path| !ignored.is_match(path))?)
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
