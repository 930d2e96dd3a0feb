//! What decides whether a step has to run again: its key is made of all that its result depends on. The parts are kept with
//! each result, so that a difference can be named.

use super::Run;
use super::outcome::Stop;
use crate::config::Recipe;
use crate::domain::{CommitId, Step};
use crate::system::git::Repo;
use crate::system::programs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// All that the result of one step depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Inputs {
    /// The commit that they were read from. Not part of the key: it only helps to name the files that differ.
    pub commit: CommitId,
    /// The parts, in the order in which they are worth mentioning.
    pub parts: Vec<Part>,
}

/// One thing that a result depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// What kind of thing.
    pub kind: PartKind,
    /// Which of its kind.
    pub name: String,
    /// What it was: a version, a command, the id of a content. Of a setting only the digest.
    pub value: String,
}

/// What kinds of things results depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PartKind {
    /// The command line of a step.
    Command,
    /// The machine's system and processor.
    Platform,
    /// The version of a program.
    Tool,
    /// A file that decides what is installed.
    Lockfile,
    /// All tracked files that are not ignored.
    Tree,
    /// The files that decide whether a migration has to run.
    Migrations,
    /// A value of the app's own configuration that the step sees.
    Setting,
}

impl Inputs {
    fn of(run: &Run<'_>) -> Result<Inputs, Stop> {
        Ok(Inputs {
            commit: run.release()?.commit.clone(),
            parts: Vec::new(),
        })
    }

    fn add(&mut self, kind: PartKind, name: impl Into<String>, value: impl Into<String>) {
        self.parts.push(Part {
            kind,
            name: name.into(),
            value: value.into(),
        });
    }

    fn command(&mut self, step: Step, line: Option<&String>) {
        let name = match step {
            Step::Deps => "install",
            other => other.as_str(),
        };
        let line = line.cloned().unwrap_or_default();
        self.add(PartKind::Command, name, line);
    }

    /// The one word for all of it. Each part is told with its length, so that no two different inputs look alike.
    pub fn key(&self, step: Step) -> String {
        let mut hash = Sha256::new();
        let mut add = |name: &str, value: &str| {
            hash.update(format!("{name} {}\n", value.len()));
            hash.update(value);
        };
        add("step", step.as_str());
        for Part { kind, name, value } in &self.parts {
            match kind {
                // Whoever has migrated with an earlier Teal does not have to migrate again.
                PartKind::Command => add("command", value),
                PartKind::Migrations => add("files", value),
                _ => add(&format!("{kind:?} {} {name}", name.len()), value),
            }
        }
        hex::encode(hash.finalize())
    }

    /// The part of that kind and name.
    pub fn get(&self, kind: PartKind, name: &str) -> Option<&Part> {
        let mut parts = self.parts.iter();
        parts.find(|part| part.kind == kind && part.name == name)
    }
}

/// Of `install`: lockfiles, runtime versions, command, platform and the configuration that it sees.
pub(super) fn deps(run: &Run<'_>) -> Result<Inputs, Stop> {
    let (repo, recipe) = (run.repo()?, run.recipe()?);
    let mut inputs = Inputs::of(run)?;
    for file in &recipe.steps.lockfiles {
        let path = in_dir(&recipe.dir, file);
        let blob = repo.id_at(&inputs.commit, &path)?.unwrap_or_default();
        inputs.add(PartKind::Lockfile, path, blob);
    }
    if recipe.steps.lockfiles.is_empty() {
        // Nothing tells which files decide, so all do.
        inputs.add(PartKind::Tree, "files", tree(run)?);
    }
    for tool in TOOLS {
        let version = programs::version(tool).unwrap_or_default();
        inputs.add(PartKind::Tool, tool, version);
    }
    inputs.command(Step::Deps, recipe.steps.install.as_ref());
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    inputs.add(PartKind::Platform, "platform", platform);
    add_settings(run, &mut inputs)?;
    Ok(inputs)
}

/// A new runtime or package manager can need other dependencies, so its version counts. Which of them the commands of an
/// app start is not known here, so all count for all.
pub const TOOLS: [&str; 9] = [
    "node", "npm", "pnpm", "yarn", "bun", "python3", "uv", "cargo", "go",
];

/// Of `build`: every tracked file bar the ignored ones, the dependencies, the command and the configuration that it sees.
pub(super) fn build(run: &Run<'_>) -> Result<Inputs, Stop> {
    let mut inputs = deps(run)?;
    inputs.command(Step::Build, run.recipe()?.steps.build.as_ref());
    if inputs.get(PartKind::Tree, "files").is_none() {
        inputs.add(PartKind::Tree, "files", tree(run)?);
    }
    Ok(inputs)
}

/// Of `test`: what was built, and the command.
pub(super) fn test(run: &Run<'_>) -> Result<Inputs, Stop> {
    let mut inputs = build(run)?;
    inputs.command(Step::Test, run.recipe()?.steps.test.as_ref());
    Ok(inputs)
}

/// Of `migrate`: the files that it declares as its inputs; none, when it has to run always.
pub(super) fn migrate(run: &Run<'_>) -> Result<Option<Inputs>, Stop> {
    let recipe = run.recipe()?;
    if recipe.steps.migrate_inputs.is_empty() {
        return Ok(None);
    }
    let chosen = recipe.steps.migration_files();
    let mut inputs = Inputs::of(run)?;
    let files = run
        .repo()?
        .digest_of(&inputs.commit, &recipe.dir, |path| chosen.is_match(path))?;
    inputs.command(Step::Migrate, recipe.steps.migrate.as_ref());
    inputs.add(PartKind::Migrations, "files", files);
    Ok(Some(inputs))
}

/// The tracked files that count, of which the digest is taken once for each deployment.
fn tree(run: &Run<'_>) -> Result<String, Stop> {
    if let Some(known) = run.tree.get() {
        return Ok(known.clone());
    }
    let digest = tree_of(&run.repo()?, run.recipe()?, &run.release()?.commit)?;
    Ok(run.tree.get_or_init(|| digest).clone())
}

/// The digest of the tracked files that count. With nothing to leave out git has it already; otherwise it costs a look at
/// every name in the tree.
pub(super) fn tree_of(repo: &Repo, recipe: &Recipe, commit: &CommitId) -> Result<String, Stop> {
    if recipe.steps.ignore.is_empty() {
        return Ok(repo.id_at(commit, &recipe.dir)?.unwrap_or_default());
    }
    let ignored = recipe.steps.ignored();
    let counts = |path: &str| !ignored.is_match(path);
    Ok(repo.digest_of(commit, &recipe.dir, counts)?)
}

/// Settings may be secrets, so only their digests are kept.
fn add_settings(run: &Run<'_>, inputs: &mut Inputs) -> Result<(), Stop> {
    let recipe = run.recipe()?;
    for (name, value) in &run.variables.values {
        if recipe.build_sees(name) {
            inputs.add(PartKind::Setting, name, hex::encode(Sha256::digest(value)));
        }
    }
    Ok(())
}

fn in_dir(dir: &str, file: &str) -> String {
    match dir {
        "." => file.to_owned(),
        dir => format!("{dir}/{file}"),
    }
}
