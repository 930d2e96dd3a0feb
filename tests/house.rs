//! The house stays as it is drawn: imports point toward the ground, nothing imports in a circle, and what must stay
//! absent is absent.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false if path.extension().is_some_and(|e| e == "rs") => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// The words that follow `prefix` in the code: for `crate::`, the modules that it names, in a group of braces too.
/// Comments do not count.
fn words_after(text: &str, prefix: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let word = |rest: &str| -> String {
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut words = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => {
                words.insert(word(rest));
            }
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            words.insert(word(&group[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    words
}

/// The top-level modules, from the ground up: the order in which `lib.rs` declares them.
fn floors() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).unwrap();
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

fn room(file: &Path) -> String {
    let relative = file.strip_prefix(source()).unwrap();
    let first = relative.components().next().unwrap().as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_toward_the_ground() {
    let floors = floors();
    let floor = |room: &str| floors.iter().position(|other| other == room);
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let Some(own) = floor(&room(&file)) else {
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for word in words_after(&text, "crate::") {
            if floor(&word).is_some_and(|other| other > own) {
                wrong.push(format!("{} imports {word}", file.display()));
            }
        }
    }
    assert!(floors.len() > 15, "lib.rs declares {floors:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_must_stay_absent_is_absent() {
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(source()).unwrap().display().to_string();
        let mut forbid = |what: &str, why: &str| {
            if text.contains(what) {
                wrong.push(format!("{name}: `{what}`: {why}"));
            }
        };
        if name.starts_with("domain/") {
            for io in ["std::fs", "std::net", "tokio::", "std::process"] {
                forbid(io, "the domain does no I/O");
            }
        }
        if name.starts_with("pipeline/") {
            forbid("crate::web", "the pipeline does not know who is told");
            forbid("crate::intake", "the pipeline does not know who pushed how");
        }
        if name != "journal.rs" && !name.starts_with("store/") {
            forbid(
                "deployments::update",
                "a deployment's state is written in one place",
            );
            forbid(
                "deployments::insert",
                "a deployment's state is written in one place",
            );
        }
        if name.contains("util") {
            wrong.push(format!("{name}: a room needs a name"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
