//! Which module names which, read from the code as it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module's path from the crate's root: `["config", "detect", "node"]`; empty for the root itself.
pub type Name = Vec<String>;

/// The crate's modules with their code, those that are tests left out.
pub struct Modules(BTreeMap<Name, String>);

impl Modules {
    /// Reads the modules below a folder that holds `lib.rs`.
    pub fn read(source: &Path) -> Modules {
        let text = |file: &PathBuf| fs::read_to_string(file).unwrap();
        let files = super::files(source);
        let of_the_crate = files.iter().filter(|file| !file.ends_with("main.rs"));
        Modules::new(of_the_crate.map(|file| (name_of(source, file), text(file))))
    }

    /// Modules by their names, with their texts.
    pub fn new(texts: impl Iterator<Item = (Name, String)>) -> Modules {
        let mut modules: BTreeMap<Name, String> = texts.collect();
        let tests: Vec<Name> = modules
            .iter()
            .flat_map(|(name, text)| tests_below(name, text))
            .collect();
        modules.retain(|name, _| !tests.iter().any(|test| name.starts_with(test)));
        for text in modules.values_mut() {
            *text = without_tests(text);
        }
        Modules(modules)
    }

    /// For each module the modules beside it that it or anything below it names, by their own path or by what their parent
    /// gives on of theirs. A parent and its children are one thing: what they name of each other does not count.
    pub fn neighbours(&self) -> BTreeMap<Name, BTreeSet<Name>> {
        let mut all: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        for (from, text) in &self.0 {
            for (base, path) in paths(from, text) {
                let to = self.place_of(base, &path);
                let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
                if common < from.len() && common < to.len() {
                    let own = from[..=common].to_vec();
                    all.entry(own).or_default().insert(to[..=common].to_vec());
                }
            }
        }
        all
    }

    /// The module that a path from this one leads into.
    fn place_of(&self, base: Name, path: &[String]) -> Name {
        let mut at = base;
        for word in path {
            let below: Name = at.iter().chain([word]).cloned().collect();
            if self.0.contains_key(&below) {
                at = below;
                continue;
            }
            // No module: something of this one, or of the child that it comes from.
            if let Some(origin) = self.given_on(&at, word) {
                at = self.place_of(at, &origin);
            }
            break;
        }
        at
    }

    /// The path below the module from which it gives the word on with `pub use`.
    fn given_on(&self, module: &Name, word: &str) -> Option<Name> {
        let uses = self.0.get(module)?.split("\npub").filter_map(|item| {
            item.split_once("use ")
                .filter(|(start, _)| start.len() < 20)
        });
        uses.flat_map(|(_, tree)| branches(tree)).find(|path| {
            let mut child = module.clone();
            child.extend(path.first().cloned());
            path.last().is_some_and(|last| last == word) && self.0.contains_key(&child)
        })
    }
}

/// The module that a file holds.
pub fn name_of(source: &Path, file: &Path) -> Name {
    let path = file.strip_prefix(source).unwrap().with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    let mut name: Name = parts.collect();
    if name
        .last()
        .is_some_and(|last| last == "mod" || last == "lib")
    {
        name.pop();
    }
    name
}

/// The modules that a text declares for tests only.
fn tests_below(name: &Name, text: &str) -> Vec<Name> {
    let declared = text.split("#[cfg(test)]\nmod ").skip(1);
    declared
        .filter_map(|rest| rest.lines().next()?.strip_suffix(';'))
        .map(|word| name.iter().cloned().chain([word.to_owned()]).collect())
        .collect()
}

/// The text without the tests at its end.
fn without_tests(text: &str) -> String {
    let end = text
        .match_indices("#[cfg(test)]\nmod ")
        .find(|(at, _)| text[*at..].lines().nth(1).unwrap().ends_with('{'))
        .map_or(text.len(), |(at, _)| at);
    text[..end].to_owned()
}

/// All paths of the code that begin with `crate::` or `super::`: where they start from, and the words that follow.
/// Comments do not count.
pub fn paths(module: &Name, text: &str) -> Vec<(Name, Name)> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for (at, first) in code
        .match_indices("crate::")
        .chain(code.match_indices("super::"))
    {
        if code[..at].ends_with(|c: char| c == ':' || c == '_' || c.is_alphanumeric()) {
            continue;
        }
        let mut base = Name::new();
        let mut rest = &code[at..];
        if first == "crate::" {
            rest = &rest[first.len()..];
        } else {
            base.clone_from(module);
            while let Some(after) = rest.strip_prefix("super::") {
                base.pop();
                rest = after;
            }
        }
        found.extend(branches(rest).into_iter().map(|path| (base.clone(), path)));
    }
    found
}

/// The paths of a tree of imports: `a::{b, c::d}` holds `a::b` and `a::c::d`.
fn branches(tree: &str) -> Vec<Name> {
    let tree = tree.trim_start();
    if let Some(group) = tree.strip_prefix('{') {
        return members(group).into_iter().flat_map(branches).collect();
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (word, rest) = tree.split_at(end.unwrap_or(tree.len()));
    let below = match rest.strip_prefix("::") {
        Some(rest) if !word.is_empty() => branches(rest),
        _ => vec![Name::new()],
    };
    let word = Some(word.to_owned()).filter(|word| !word.is_empty());
    let named = |path: Name| word.iter().cloned().chain(path).collect();
    below.into_iter().map(named).collect()
}

/// What stands between the commas of a group of braces.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0, 0);
    let mut members = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                members.push(&group[start..at]);
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
        if c == '}' && start == at + 1 {
            break;
        }
    }
    members.retain(|member| !member.trim().is_empty());
    members
}
