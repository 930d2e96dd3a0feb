//! Random histories: whatever happened to a slot before, a fast checkout leaves the same tracked files as a full one.

use super::*;
use crate::system::git::testing::{Files, bare, commit};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

/// Random numbers from a seed that is printed, so that a failure can be seen again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 20) as usize % limit
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Few names, so that files, folders and links often meet at the same path; some sort around `/`.
const NAMES: [&str; 6] = ["a", "b", "a.b", "a-b", "c", "src"];

fn path(random: &mut Random) -> String {
    let depth = 1 + random.below(3);
    let parts: Vec<_> = (0..depth).map(|_| *random.pick(&NAMES)).collect();
    parts.join("/")
}

fn put(files: &mut Files, path: String, entry: (i32, Vec<u8>)) {
    // A path can only be there if nothing above or below it is.
    let above = |other: &String| path.starts_with(&format!("{other}/"));
    let below = |other: &String| other.starts_with(&format!("{path}/"));
    files.retain(|other, _| !above(other) && !below(other));
    files.insert(path, entry);
}

fn content(random: &mut Random) -> (i32, Vec<u8>) {
    let text = format!("{}", random.below(5)).repeat(1 + random.below(3));
    match random.below(12) {
        0 => (0o120_000, format!("../{}", path(random)).into_bytes()),
        1 => (0o120_000, b"/etc".to_vec()),
        2 => (0o160_000, vec![]),
        3 | 4 => (0o100_755, text.into_bytes()),
        _ => (0o100_644, text.into_bytes()),
    }
}

/// The next commit of a history: edits, additions, removals, renames, mode changes, whole folders gone.
fn evolve(files: &mut Files, random: &mut Random) {
    for _ in 0..=random.below(5) {
        let known: Vec<String> = files.keys().cloned().collect();
        match random.below(6) {
            0 if !known.is_empty() => {
                files.remove(random.pick(&known));
            }
            1 if !known.is_empty() => {
                let entry = files.remove(random.pick(&known)).unwrap();
                put(files, path(random), entry);
            }
            2 if !known.is_empty() => {
                let entry = files.get_mut(random.pick(&known)).unwrap();
                entry.0 = match entry.0 {
                    0o100_644 => 0o100_755,
                    0o100_755 => 0o100_644,
                    other => other,
                };
            }
            3 => {
                let gone = format!("{}/", random.pick(&NAMES));
                files.retain(|path, _| !path.starts_with(&gone));
            }
            _ => put(files, path(random), content(random)),
        }
    }
}

/// What a build, an app or a person may do to a slot between two deployments.
fn tamper(slot: &Path, outside: &Path, random: &mut Random) {
    for _ in 0..random.below(4) {
        let place = slot.join(path(random));
        match random.below(7) {
            0 => drop(fs::remove_file(&place)),
            1 => drop(fs::remove_dir_all(&place)),
            2 => {
                let _ = fs::create_dir_all(&place);
                let _ = fs::write(place.join("cache"), "cache");
            }
            3 => same_size_and_time(&place),
            4 => drop(fs::set_permissions(
                &place,
                PermissionsExt::from_mode(0o755),
            )),
            5 => {
                let _ = fs::remove_file(&place);
                let _ = symlink(outside, &place);
            }
            _ => {
                let away = outside.join(format!("moved-{}", random.next()));
                if fs::rename(&place, &away).is_ok() {
                    let _ = symlink(&away, &place);
                }
            }
        }
    }
}

fn same_size_and_time(place: &Path) {
    let regular = fs::symlink_metadata(place).is_ok_and(|found| found.is_file());
    if regular {
        let found = fs::metadata(place).unwrap();
        let changed: Vec<u8> = fs::read(place).unwrap().iter().map(|b| b ^ 1).collect();
        let file = fs::OpenOptions::new().write(true).open(place).unwrap();
        std::io::Write::write_all(&mut &file, &changed).unwrap();
        file.set_modified(found.modified().unwrap()).unwrap();
    }
}

/// A temporary folder in memory where there is one: hundreds of histories sync thousands of times.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// What is on disk, by path, as git would name it.
fn on_disk(root: &Path, below: &str, found: &mut BTreeMap<String, (i32, Vec<u8>)>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() {
            name
        } else {
            format!("{below}/{name}")
        };
        let stat = fs::symlink_metadata(entry.path()).unwrap();
        if stat.is_dir() {
            found.insert(path.clone(), (0o040_000, vec![]));
            on_disk(root, &path, found);
        } else if stat.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            found.insert(
                path,
                (0o120_000, target.into_os_string().into_encoded_bytes()),
            );
        } else {
            let mode = 0o100_000 | (stat.permissions().mode() & 0o7777) as i32;
            found.insert(path, (mode, fs::read(entry.path()).unwrap()));
        }
    }
}

fn listing(root: &Path) -> BTreeMap<String, (i32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    on_disk(root, "", &mut found);
    found
}

/// One history of a slot, each step compared with a full checkout of the same commit elsewhere.
fn history(seed: u64) {
    let dir = in_memory();
    let random = &mut Random(seed);
    let repo = bare(&dir.path().join("r.git"));
    let [slot, clean, outside] = ["slot", "clean", "outside"].map(|name| dir.path().join(name));
    for folder in [&slot, &clean, &outside] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(outside.join("kept"), "kept").unwrap();
    let (index, other) = (
        dir.path().join("meta/index"),
        dir.path().join("other/index"),
    );
    let mut files = Files::new();
    let mut past: Vec<Files> = Vec::new();
    for step in 0..8 {
        evolve(&mut files, random);
        if random.chance(15) && !past.is_empty() {
            files = random.pick(&past).clone();
        }
        past.push(files.clone());
        let commit = commit(&repo, &files, "x", None);
        let before = fs::read(&index).ok();
        if before.is_some() && random.chance(50) {
            tests::settle_index(&index);
        }
        if random.chance(50) {
            tamper(&slot, &outside, random);
        }
        checkout(&repo, &commit, &slot, &index, Mode::Fast).unwrap();
        checkout(&repo, &commit, &clean, &other, Mode::Full).unwrap();
        let (fast, full) = (listing(&slot), listing(&clean));
        for (path, entry) in &full {
            assert_eq!(
                fast.get(path),
                Some(entry),
                "seed {seed} step {step}: {path}"
            );
        }
        if random.chance(20)
            && let Some(before) = before
        {
            // The process dies before the index is written; the next step starts from the one before.
            fs::write(&index, before).unwrap();
        }
    }
    assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");
}

#[test]
fn a_fast_checkout_equals_a_full_one_after_any_history() {
    let seed = std::env::var("TEAL_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let (first, count) = match seed {
        Some(seed) => (seed, 1),
        None => (0x7EA1, 300),
    };
    for seed in first..first + count {
        history(seed);
    }
}

/// Without any tampering nothing but the tree may be in the slot, interruptions included.
#[test]
fn an_untouched_slot_holds_the_tree_and_nothing_else() {
    for seed in 1..150_u64 {
        let dir = in_memory();
        let random = &mut Random(seed.wrapping_mul(0x9E37_79B9));
        let repo = bare(&dir.path().join("r.git"));
        let [slot, clean] = ["slot", "clean"].map(|name| dir.path().join(name));
        for folder in [&slot, &clean] {
            fs::create_dir(folder).unwrap();
        }
        let (index, other) = (
            dir.path().join("meta/index"),
            dir.path().join("other/index"),
        );
        let mut files = Files::new();
        for step in 0..6 {
            evolve(&mut files, random);
            let commit = commit(&repo, &files, "x", None);
            let before = fs::read(&index).ok();
            checkout(&repo, &commit, &slot, &index, Mode::Fast).unwrap();
            checkout(&repo, &commit, &clean, &other, Mode::Full).unwrap();
            assert_eq!(listing(&slot), listing(&clean), "seed {seed} step {step}");
            if random.chance(30)
                && let Some(before) = before
            {
                fs::write(&index, before).unwrap();
            }
        }
    }
}
