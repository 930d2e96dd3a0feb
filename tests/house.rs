//! The house stays as it is drawn: imports point toward the ground, nothing imports in a circle, and what must stay
//! absent is absent.

mod modules;

use modules::{Modules, Name};
use std::collections::{BTreeMap, BTreeSet};
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

/// The top-level modules, from the ground up: the order in which `lib.rs` declares them.
fn floors() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).unwrap();
    lib.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn imports_point_toward_the_ground() {
    let floors = floors();
    let floor = |room: &String| floors.iter().position(|other| other == room);
    let mut wrong = Vec::new();
    for file in files(&source()) {
        let name = modules::name_of(&source(), &file);
        let Some(own) = name.first().and_then(floor) else {
            continue;
        };
        let text = fs::read_to_string(&file).unwrap();
        for (base, path) in modules::paths(&name, &text) {
            let room = base.first().or(path.first());
            if room.and_then(floor).is_some_and(|other| other > own) {
                wrong.push(format!("{} imports {}", file.display(), path.join("::")));
            }
        }
    }
    assert!(floors.len() > 15, "lib.rs declares {floors:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let neighbours = Modules::read(&source()).neighbours();
    assert!(neighbours.len() > 100);
    assert_eq!(circle(&neighbours), None);
}

#[test]
fn a_circle_is_found_through_children_groups_and_what_a_parent_gives_on() {
    let of = |texts: &[(&str, &str)]| {
        let texts = texts.iter().map(|(name, text)| {
            let words = name.split_terminator("::").map(str::to_owned);
            (words.collect(), (*text).to_owned())
        });
        circle(&Modules::new(texts).neighbours())
    };
    let root = (
        "",
        "pub mod a;\npub use a::{\n    first::First,\n    A,\n};\npub mod b;\n",
    );
    let found = Some(vec!["a".to_owned(), "b".to_owned()]);
    let a = ("a", "mod deep;\nuse super::b;\n");
    assert_eq!(of(&[root, a, ("b", "use crate::a::deep::D;\n")]), found);
    assert_eq!(
        of(&[root, a, ("b", "use super::{c, A as Other};\n")]),
        found
    );
    assert_eq!(of(&[root, a, ("b", "fn f(_: &crate::First) {}\n")]), found);
    assert_eq!(
        of(&[
            root,
            ("a", "mod deep;\n"),
            ("a::deep", "use crate::{b::{B, C}, c};\n"),
            ("b", "use super::A;\n")
        ]),
        found
    );
    for innocent in [
        "// use super::A;\n",
        "use super::Other;\n",
        "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
    ] {
        assert_eq!(of(&[root, a, ("b", innocent)]), None, "{innocent}");
    }
    let tests = ("a::tests", "use crate::b;\n");
    let parent = ("a", "#[cfg(test)]\nmod tests;\nuse self::deep::D;\n");
    let child = ("a::deep", "use super::A;\n");
    assert_eq!(
        of(&[root, parent, child, tests, ("b", "use crate::a;\n")]),
        None
    );
}

/// The modules of the first circle, if there is one.
fn circle(neighbours: &BTreeMap<Name, BTreeSet<Name>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    let mut starts = neighbours.keys();
    starts.find_map(|start| circle_from(start, neighbours, &mut Vec::new(), &mut done))
}

fn circle_from<'a>(
    at: &'a Name,
    neighbours: &'a BTreeMap<Name, BTreeSet<Name>>,
    way: &mut Vec<&'a Name>,
    done: &mut BTreeSet<&'a Name>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|earlier| *earlier == at) {
        return Some(way[start..].iter().map(|name| name.join("::")).collect());
    }
    if done.contains(at) {
        return None;
    }
    way.push(at);
    for next in neighbours.get(at).into_iter().flatten() {
        if let Some(found) = circle_from(next, neighbours, way, done) {
            return Some(found);
        }
    }
    way.pop();
    done.insert(at);
    None
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
