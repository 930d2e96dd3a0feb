//! Why a step has to run again, in words: what differs between its inputs now and those of the last result.

use super::Run;
use super::keys::{Inputs, Part, PartKind};
use super::outcome::Stop;
use crate::domain::{DeploymentId, Step};
use crate::journal::Entry;
use crate::store::keys::{self, Known};
use crate::system::clock;
use crate::system::git::Repo;

/// How many names are told before the others are only counted.
const NAMES: usize = 2;
/// How much of a name or a command is shown.
const LONG: usize = 40;

/// The last result of a step and what it was made of.
pub(super) struct Last {
    /// The deployment that made it.
    pub deployment: DeploymentId,
    /// Its key.
    pub key: String,
    inputs: Option<Inputs>,
}

/// The last result of the step in this scope (an environment, or an app).
pub(super) async fn last(run: &Run<'_>, scope: String, step: Step) -> Result<Option<Last>, Stop> {
    let store = run.tools.journal.store();
    let newest = store.read(move |c| keys::newest(c, &scope, step)).await?;
    Ok(newest.map(|known| Last {
        deployment: known.deployment,
        key: known.key,
        // An older Teal kept none.
        inputs: serde_json::from_str(&known.inputs).ok(),
    }))
}

/// Remembers that the step has a whole result with these inputs, made by that deployment. A result that is the last one
/// already is not written again.
pub(super) async fn remember(
    run: &Run<'_>,
    scope: String,
    step: Step,
    inputs: &Inputs,
    deployment: DeploymentId,
) -> Result<(), Stop> {
    let known = Known {
        key: inputs.key(step),
        inputs: serde_json::to_string(inputs).unwrap_or_default(),
        deployment,
    };
    let is_last = |last: &Last| last.key == known.key;
    if last(run, scope.clone(), step)
        .await?
        .as_ref()
        .is_some_and(is_last)
    {
        return Ok(());
    }
    put(run, scope, step, known)
}

/// Remembers that a step without declared inputs ran in this deployment.
pub(super) fn remember_that_it_ran(run: &Run<'_>, scope: String, step: Step) -> Result<(), Stop> {
    let known = Known {
        key: format!("deployment {}", run.id()),
        inputs: String::new(),
        deployment: run.id(),
    };
    put(run, scope, step, known)
}

fn put(run: &Run<'_>, scope: String, step: Step, known: Known) -> Result<(), Stop> {
    let put = move |entry: &mut Entry| {
        keys::put(entry.connection(), &scope, step, &known, clock::now_ms())?;
        Ok(())
    };
    Ok(run.soon(put)?)
}

/// What differs from the last result, most telling first.
pub(super) fn differs(run: &Run<'_>, last: &Last, now: &Inputs) -> Result<String, Stop> {
    let Some(then) = &last.inputs else {
        return Ok(format!(
            "its inputs changed since deployment {}",
            last.deployment
        ));
    };
    let mut told: Vec<String> = Vec::new();
    let mut lockfiles = Vec::new();
    for part in &now.parts {
        let before = then.get(part.kind, &part.name);
        if before.is_some_and(|before| before.value == part.value) {
            continue;
        }
        match part.kind {
            PartKind::Lockfile => lockfiles.push(shown(&part.name)),
            PartKind::Tree | PartKind::Migrations => told.push(files(run, part.kind, then, now)?),
            _ => told.push(words(part, before)),
        }
    }
    for gone in then
        .parts
        .iter()
        .filter(|part| now.get(part.kind, &part.name).is_none())
    {
        match gone.kind {
            PartKind::Lockfile => lockfiles.push(shown(&gone.name)),
            PartKind::Setting => told.push(format!("{} is not set any more", shown(&gone.name))),
            _ => {}
        }
    }
    if let Some(text) = about_lockfiles(lockfiles) {
        told.insert(0, text);
    }
    // A change of tools shows in several of them; the first ones tell enough.
    told.truncate(2);
    Ok(match told.is_empty() {
        true => format!("its inputs changed since deployment {}", last.deployment),
        false => told.join("; "),
    })
}

/// A manifest beside a lockfile decides as well; the lockfile is what people look for.
fn about_lockfiles(mut names: Vec<String>) -> Option<String> {
    let is_lock = |name: &String| {
        let lower = name.to_ascii_lowercase();
        ["lock", "shrinkwrap", "requirements", "go.sum"]
            .iter()
            .any(|word| lower.contains(word))
    };
    names.sort_by_key(|name| !is_lock(name));
    let word = if is_lock(names.first()?) {
        "lockfile changed"
    } else {
        "changed"
    };
    Some(format!("{word}: {}", listed(&names)))
}

fn words(now: &Part, before: Option<&Part>) -> String {
    let then = before.map_or("", |part| part.value.as_str());
    match now.kind {
        PartKind::Tool => format!(
            "{} version changed: {} → {}",
            now.name,
            version(then),
            version(&now.value)
        ),
        PartKind::Command => format!(
            "{} command changed: `{}` → `{}`",
            now.name,
            shown(then),
            shown(&now.value)
        ),
        PartKind::Platform => format!("platform changed: {} → {}", shown(then), shown(&now.value)),
        PartKind::Setting => match before {
            Some(_) => format!("{} changed", shown(&now.name)),
            None => format!("{} is new", shown(&now.name)),
        },
        PartKind::Lockfile | PartKind::Tree | PartKind::Migrations => {
            format!("changed: {}", shown(&now.name))
        }
    }
}

/// `3 files changed: src/a.ts, src/b.ts, …`
fn files(run: &Run<'_>, kind: PartKind, then: &Inputs, now: &Inputs) -> Result<String, Stop> {
    let what = if kind == PartKind::Tree {
        "file"
    } else {
        "migration"
    };
    let repo = run.repo()?;
    let paths = match counting(run, &repo, kind, then, now) {
        Ok(paths) if !paths.is_empty() => paths,
        // The last commit was removed by a forced push and collected since, or what counts is declared otherwise now.
        _ => return Ok(format!("{what}s changed since {}", then.commit.short())),
    };
    let many = if paths.len() == 1 { "" } else { "s" };
    let names: Vec<String> = paths.iter().map(|path| shown(path)).collect();
    Ok(format!(
        "{} {what}{many} changed: {}",
        paths.len(),
        listed(&names)
    ))
}

/// The changed paths that count for this kind of part.
fn counting(
    run: &Run<'_>,
    repo: &Repo,
    kind: PartKind,
    then: &Inputs,
    now: &Inputs,
) -> Result<Vec<String>, Stop> {
    let recipe = run.recipe()?;
    let chosen = match kind {
        PartKind::Tree => recipe.steps.ignored(),
        _ => recipe.steps.migration_files(),
    };
    let counts = |path: &str| chosen.is_match(path) != (kind == PartKind::Tree);
    let inside = |path: &String| match recipe.dir.as_str() {
        "." => Some(path.clone()),
        dir => Some(path.strip_prefix(dir)?.strip_prefix('/')?.to_owned()),
    };
    let changed = repo.changed_paths(&then.commit, &now.commit)?;
    let changed = changed.iter().filter_map(inside);
    Ok(changed.filter(|path| counts(path)).collect())
}

fn listed(names: &[String]) -> String {
    let more = if names.len() > NAMES { ", …" } else { "" };
    format!("{}{more}", names[..names.len().min(NAMES)].join(", "))
}

/// `v20.11.0` and `Python 3.11.2` as their numbers.
fn version(answer: &str) -> String {
    let number = |word: &str| {
        let plain = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        plain
            .starts_with(|c: char| c.is_ascii_digit())
            .then(|| plain.to_owned())
    };
    match answer.split_whitespace().find_map(number) {
        Some(number) => shown(&number),
        None if answer.is_empty() => "none".to_owned(),
        None => shown(answer),
    }
}

/// A stranger's word on one line and cut to size; of a path the end tells most.
fn shown(word: &str) -> String {
    let clean: Vec<char> = word.chars().flat_map(char::escape_debug).collect();
    if clean.len() <= LONG {
        return clean.into_iter().collect();
    }
    let end: String = clean[clean.len() - LONG + 1..].iter().collect();
    format!("…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(kind: PartKind, name: &str, value: &str) -> Part {
        Part {
            kind,
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn a_lockfile_is_named_before_the_manifest_beside_it() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            about_lockfiles(names(&["package.json", "package-lock.json"])).unwrap(),
            "lockfile changed: package-lock.json, package.json"
        );
        assert_eq!(
            about_lockfiles(names(&[".npmrc"])).unwrap(),
            "changed: .npmrc"
        );
        assert_eq!(about_lockfiles(Vec::new()), None);
    }

    #[test]
    fn versions_are_told_as_numbers() {
        let node = part(PartKind::Tool, "node", "v22.3.0");
        let before = part(PartKind::Tool, "node", "v20.11.1");
        assert_eq!(
            words(&node, Some(&before)),
            "node version changed: 20.11.1 → 22.3.0"
        );
        let go = part(PartKind::Tool, "go", "go version go1.22.1 linux/amd64");
        assert_eq!(words(&go, None), "go version changed: none → 1.22.1");
    }

    #[test]
    fn a_setting_is_named_and_never_shown() {
        let now = part(PartKind::Setting, "VITE_API", "digest");
        let before = part(PartKind::Setting, "VITE_API", "other");
        assert_eq!(words(&now, Some(&before)), "VITE_API changed");
        assert_eq!(words(&now, None), "VITE_API is new");
    }

    #[test]
    fn names_are_cut_from_the_left_and_counted() {
        let long = format!("{}/main.ts", "deep/".repeat(20));
        assert!(shown(&long).ends_with("deep//main.ts") && shown(&long).chars().count() == LONG);
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\u{1b}");
        let names: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        assert_eq!(listed(&names), "a, b, …");
    }
}
