use super::*;
use crate::domain::Mode;
use crate::release::{CheckedOut, checkout};
use crate::system::git::Repo;
use crate::system::git::testing::{bare, commit, files};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

/// A slot with a built release, a second slot, and a shelf.
struct World {
    dir: tempfile::TempDir,
    shelf: Shelf,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let world = World {
            shelf: Shelf::new(dir.path().join(".backups")),
            dir,
        };
        for slot in ["blue", "green"] {
            fs::create_dir_all(world.at(slot)).unwrap();
        }
        world.write("blue/dist/main.js", "code");
        world.write("blue/node_modules/a/index.js", "dependency");
        world.write("blue/.build-hash", "ab\n");
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// Writes in place, as a careless build would.
    fn write(&self, path: &str, content: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn seal(&self, deployment: DeploymentId, color: Color) -> Backup {
        let slot = self.at(color.as_str());
        let index = self.at(&format!("meta/{color}/index"));
        seal(
            &self.shelf,
            &slot,
            &self.ledger(color),
            &index,
            about(deployment, color),
        )
        .unwrap()
    }

    fn ledger(&self, color: Color) -> PathBuf {
        self.at(&format!("meta/{color}/sealed"))
    }

    fn sweep(&self) {
        let ledgers = Color::BOTH.map(|color| self.ledger(color));
        self.shelf.sweep(&ledgers).unwrap();
    }

    fn restore(&self, backup: &Backup, color: Color) -> Result<(), BackupError> {
        let index = self.at(&format!("meta/{color}/index"));
        restore(
            backup,
            &self.at(color.as_str()),
            &index,
            &self.ledger(color),
        )
    }
}

fn about(deployment: DeploymentId, color: Color) -> About {
    About {
        deployment,
        commit: "ab".repeat(20).parse().unwrap(),
        ref_name: "refs/heads/main".to_owned(),
        env_digest: None,
        created_ms: 1_700_000_000_000,
        color,
        recipe: serde_json::json!({"web": "npm start"}),
        migrate_key: None,
        keys: std::collections::BTreeMap::new(),
    }
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn a_backup_stays_what_it_was_whatever_is_written_in_place() {
    let world = World::new();
    let one = world.seal(1, Color::Blue);
    let two = world.seal(2, Color::Blue);
    let unchanged = "node_modules/a/index.js";
    assert_eq!(
        inode(&one.release().join(unchanged)),
        inode(&two.release().join(unchanged))
    );
    for path in ["dist/main.js", unchanged, ".build-hash"] {
        let slot = inode(&world.at("blue").join(path));
        assert_ne!(slot, inode(&one.release().join(path)), "{path}");
        assert_ne!(slot, inode(&two.release().join(path)), "{path}");
    }
    world.write("blue/dist/main.js", "c0de");
    world.write(&format!("blue/{unchanged}"), "d3pendency");
    let three = world.seal(3, Color::Blue);
    for backup in [&one, &two, &three] {
        let verified = verify(backup).unwrap();
        assert_eq!(verified.differences, []);
        assert_eq!(verified.compared, 3);
    }
    assert_eq!(
        fs::read_to_string(one.release().join(unchanged)).unwrap(),
        "dependency"
    );
    assert_eq!(
        fs::read_to_string(three.release().join(unchanged)).unwrap(),
        "d3pendency"
    );
}

/// Seals the slot until nothing in it was written at the very moment of the look, as it is when nothing was built.
fn settle(world: &World, color: Color) -> Backup {
    let slot = world.at(color.as_str());
    for deployment in 100.. {
        let backup = world.seal(deployment, color);
        let known = Listing::remembered(&world.ledger(color)).unwrap().unwrap();
        let folder = crate::system::folder::Folder::open(&slot).unwrap();
        if crate::release::tree::all_settled(&folder, &known) {
            return backup;
        }
    }
    unreachable!()
}

#[test]
fn a_change_with_the_same_size_and_time_is_sealed_too() {
    let world = World::new();
    let one = settle(&world, Color::Blue);
    let path = world.at("blue/dist/main.js");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    world.write("blue/dist/main.js", "c0de");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_modified(time).unwrap();
    let two = world.seal(2, Color::Blue);
    let read = |backup: &Backup| fs::read_to_string(backup.release().join("dist/main.js")).unwrap();
    assert_eq!((read(&one), read(&two)), ("code".into(), "c0de".into()));
}

/// Every file of a release, by path.
fn content(backup: &Backup) -> Vec<(String, String)> {
    let read = |path: &str| {
        let text = fs::read_to_string(backup.release().join(path)).unwrap();
        (path.to_owned(), text)
    };
    [
        "dist/main.js",
        "node_modules/a/index.js",
        "node_modules/b/index.js",
        ".build-hash",
    ]
    .map(read)
    .to_vec()
}

#[test]
fn what_a_starting_service_writes_while_it_is_sealed_does_not_reach_the_backup() {
    let world = World::new();
    world.write("blue/node_modules/b/index.js", "other");
    let first = settle(&world, Color::Blue);
    let (slot, ledger) = (world.at("blue"), world.ledger(Color::Blue));
    let index = world.at("meta/blue/index");
    world.write("blue/dist/main.js", "new code");
    let sealing = begin(&world.shelf, &slot, &ledger, 1_700_000_009_000, &[]).unwrap();
    // From here on the service runs: it appends, replaces, removes and adds.
    for path in ["dist/main.js", "node_modules/a/index.js", ".build-hash"] {
        let path = slot.join(path);
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str(" scribbled");
        fs::write(path, text).unwrap();
    }
    fs::remove_file(slot.join("node_modules/b/index.js")).unwrap();
    world.write("blue/node_modules/c/index.js", "added");
    let second = sealing.finish(about(7, Color::Blue), &index).unwrap();
    let mut expected = content(&first);
    expected[0].1 = "new code".to_owned();
    assert_eq!(content(&second), expected);
    assert!(!second.release().join("node_modules/c").exists());
    let third = world.seal(8, Color::Blue);
    assert!(third.release().join("node_modules/c/index.js").exists());
    let scribbled = fs::read_to_string(third.release().join("node_modules/a/index.js")).unwrap();
    assert_eq!(scribbled, "dependency scribbled");
    for backup in [&first, &second, &third] {
        assert_eq!(verify(backup).unwrap().differences, []);
    }
}

#[test]
fn what_did_not_change_is_on_the_disk_once_and_stays_as_long_as_one_backup_has_it() {
    let world = World::new();
    let held = |backup: &Backup| {
        let own = world.at(".backups/.sealed").join(&backup.name);
        let mut files = Vec::new();
        let mut folders = vec![own.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let (path, facts) = (entry.path(), entry.metadata().unwrap());
                if facts.is_dir() {
                    folders.push(path);
                } else if facts.is_file() {
                    files.push(path.strip_prefix(&own).unwrap().display().to_string());
                }
            }
        }
        files.sort();
        files
    };
    let one = settle(&world, Color::Blue);
    world.write("blue/dist/main.js", "more code");
    let two = world.seal(2, Color::Blue);
    assert_eq!(held(&two), [".build-hash", "dist/main.js"]);
    let three = settle(&world, Color::Blue);
    assert_eq!(held(&three), Vec::<String>::new());
    for backup in world.shelf.list().unwrap() {
        if backup.name != three.name {
            world.shelf.remove(&backup.name).unwrap();
        }
    }
    world.sweep();
    assert_eq!(verify(&three).unwrap().differences, []);
    assert_eq!(held(&two), [".build-hash", "dist/main.js"]);
    assert!(
        !world
            .at(".backups/.sealed")
            .join(&one.name)
            .join("dist")
            .exists()
    );
    world.restore(&three, Color::Green).unwrap();
    let read = |path: &str| fs::read_to_string(world.at(path)).unwrap();
    assert_eq!(read("green/dist/main.js"), "more code");
    assert_eq!(read("green/node_modules/a/index.js"), "dependency");
}

#[test]
fn the_oldest_goes_when_they_are_larger_together_than_they_may_be() {
    let world = World::new();
    let mut names = Vec::new();
    for deployment in 1..=4 {
        let text = format!("{deployment}").repeat(1000);
        world.write("blue/dist/main.js", &text);
        names.push(world.seal(deployment, Color::Blue).name);
    }
    let pinned = BTreeSet::from([names[1].clone()]);
    assert_eq!(
        world.shelf.shrink(10_000, &pinned).unwrap(),
        Vec::<String>::new()
    );
    let removed = world.shelf.shrink(2500, &pinned).unwrap();
    assert_eq!(removed, [names[0].clone(), names[2].clone()]);
    assert_eq!(world.shelf.shrink(1, &pinned).unwrap(), [names[3].clone()]);
}

#[test]
fn what_was_installed_is_put_back_without_what_a_build_left_in_it() {
    let world = World::new();
    let folders = ["node_modules".to_owned()];
    let (blue, known) = (world.at("blue"), world.ledger(Color::Blue));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let what = (".", folders.as_slice());
    look_at_installed(&world.shelf, &blue, &known, "key", what)
        .unwrap()
        .seal(&stop)
        .unwrap();
    world.write("blue/node_modules/a/index.js", "patched");
    world.write("blue/node_modules/a/generated", "x");
    world.write("blue/node_modules/.cache/x", "kept");
    let sealed = world.seal(1, Color::Blue);
    let put_back = |color: Color, key: &str| {
        let (slot, ledger) = (world.at(color.as_str()), world.ledger(color));
        let put = put_back_installed(&world.shelf, key, &slot, &world.shelf, &ledger, &stop);
        put.unwrap().map(|put| put.copied)
    };
    assert_eq!(put_back(Color::Blue, "another key"), None);
    assert_eq!(put_back(Color::Blue, "key"), Some(1));
    assert_eq!(put_back(Color::Green, "key"), Some(1));
    for color in ["blue", "green"] {
        let path = world.at(color).join("node_modules/a");
        assert_eq!(
            fs::read_to_string(path.join("index.js")).unwrap(),
            "dependency"
        );
        assert!(!path.join("generated").exists());
    }
    assert!(world.at("blue/node_modules/.cache/x").exists());
    let cached = world.seal(2, Color::Blue);
    assert!(cached.release().join("node_modules/.cache/x").exists());
    for backup in [sealed, cached] {
        assert_eq!(verify(&backup).unwrap().differences, []);
    }
}

#[test]
fn what_was_put_back_is_not_looked_at_again_while_nothing_runs() {
    let world = World::new();
    let folders = ["node_modules".to_owned()];
    let (blue, known) = (world.at("blue"), world.ledger(Color::Blue));
    let stop = std::sync::atomic::AtomicBool::new(false);
    let what = (".", folders.as_slice());
    let installed = look_at_installed(&world.shelf, &blue, &known, "key", what).unwrap();
    installed.seal(&stop).unwrap();
    settle(&world, Color::Blue);
    let put = put_back_installed(&world.shelf, "key", &blue, &world.shelf, &known, &stop);
    let put = put.unwrap().unwrap();
    assert_eq!(put.copied, 0);
    assert_eq!(put.folders, [PathBuf::from("node_modules")]);
    // Nobody may do this. That it goes unseen shows that nobody looked; what is elsewhere is looked at.
    world.write("blue/node_modules/a/index.js", "d3pendency");
    world.write("blue/dist/main.js", "c0de");
    let index = world.at("meta/blue/index");
    let believed = begin(&world.shelf, &blue, &known, 1_700_000_000_000, &put.folders).unwrap();
    let believed = believed.finish(about(200, Color::Blue), &index).unwrap();
    let looked = world.seal(201, Color::Blue);
    let of = |backup: &Backup, path| fs::read_to_string(backup.release().join(path)).unwrap();
    assert_eq!(of(&believed, "node_modules/a/index.js"), "dependency");
    assert_eq!(of(&believed, "dist/main.js"), "c0de");
    assert_eq!(of(&looked, "node_modules/a/index.js"), "d3pendency");
    for backup in [believed, looked] {
        assert_eq!(verify(&backup).unwrap().differences, []);
    }
}

#[test]
fn the_other_color_shares_what_is_the_same() {
    let world = World::new();
    let time = std::time::SystemTime::UNIX_EPOCH;
    world.write("green/node_modules/a/index.js", "dependency");
    world.write("green/dist/main.js", "other");
    for color in ["blue", "green"] {
        let path = world.at(color).join("node_modules/a/index.js");
        let file = fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(time).unwrap();
    }
    let one = world.seal(1, Color::Blue);
    let two = world.seal(2, Color::Green);
    let same = "node_modules/a/index.js";
    assert_eq!(
        inode(&one.release().join(same)),
        inode(&two.release().join(same))
    );
    assert_eq!(
        fs::read_to_string(two.release().join("dist/main.js")).unwrap(),
        "other"
    );
}

#[test]
fn a_restored_release_is_what_was_sealed_and_shares_nothing_with_the_backup() {
    let world = World::new();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(1_234_567_891);
    let run = world.at("blue/run.sh");
    fs::write(&run, "#!/bin/sh\n").unwrap();
    fs::File::open(&run).unwrap().set_modified(old).unwrap();
    fs::set_permissions(&run, PermissionsExt::from_mode(0o750)).unwrap();
    symlink("../../shared/uploads", world.at("blue/uploads")).unwrap();
    let backup = world.seal(1, Color::Blue);
    world.write("green/stale", "x");
    world.restore(&backup, Color::Green).unwrap();
    assert!(!world.at("green/stale").exists());
    let restored = fs::metadata(world.at("green/run.sh")).unwrap();
    assert_eq!(restored.modified().unwrap(), old);
    assert_eq!(restored.permissions().mode() & 0o7777, 0o750);
    assert_eq!(
        fs::read_link(world.at("green/uploads")).unwrap(),
        Path::new("../../shared/uploads")
    );
    assert_eq!(
        fs::read_to_string(world.at("green/.build-hash")).unwrap(),
        "ab\n"
    );
    for path in ["run.sh", "dist/main.js", ".build-hash"] {
        let (slot, kept) = (world.at("green").join(path), backup.release().join(path));
        assert_ne!(inode(&slot), inode(&kept), "{path}");
    }
}

#[test]
fn a_damaged_backup_is_told_and_not_served() {
    let world = World::new();
    let backup = world.seal(1, Color::Blue);
    let release = backup.release();
    fs::write(release.join("dist/main.js"), "evil").unwrap();
    fs::write(release.join("more"), "x").unwrap();
    fs::remove_file(release.join("node_modules/a/index.js")).unwrap();
    let found: Vec<_> = verify(&backup)
        .unwrap()
        .differences
        .into_iter()
        .map(|difference| format!("{} {}", difference.path, difference.what))
        .collect();
    assert_eq!(
        found,
        [
            "dist/main.js has other content now",
            "more was not sealed",
            "node_modules/a/index.js is missing"
        ]
    );
    let error = world.restore(&backup, Color::Green).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error}");
    assert!(!world.at("green/.build-hash").exists());
    fs::write(backup.path.join("files"), "teal files 1 ").unwrap();
    assert!(verify(&backup).is_err());
}

#[test]
fn what_must_not_be_kept_is_left_out_and_said() {
    let world = World::new();
    fs::set_permissions(
        world.at("blue/dist/main.js"),
        PermissionsExt::from_mode(0o6755),
    )
    .unwrap();
    nix::unistd::mkfifo(
        &world.at("blue/pipe"),
        nix::sys::stat::Mode::from_bits_truncate(0o600),
    )
    .unwrap();
    world.write("secret", "outside");
    symlink(world.at("secret"), world.at("blue/link")).unwrap();
    symlink(world.dir.path(), world.at("blue/up")).unwrap();
    let backup = world.seal(1, Color::Blue);
    let mode = fs::metadata(backup.release().join("dist/main.js"))
        .unwrap()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert!(fs::symlink_metadata(backup.release().join("pipe")).is_err());
    assert!(
        fs::symlink_metadata(backup.release().join("link"))
            .unwrap()
            .is_symlink()
    );
    assert!(
        fs::symlink_metadata(backup.release().join("up"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(
        backup.manifest.notes.len(),
        2,
        "{:?}",
        backup.manifest.notes
    );
    world.restore(&backup, Color::Green).unwrap();
    world.shelf.remove(&backup.name).unwrap();
    assert_eq!(fs::read_to_string(world.at("secret")).unwrap(), "outside");
}

#[test]
fn names_are_unique_and_the_oldest_goes_first() {
    let world = World::new();
    let names: Vec<_> = (1..=5).map(|id| world.seal(id, Color::Blue).name).collect();
    assert_eq!(names[0], "backup-20231114-221320");
    assert_eq!(names[1], "backup-20231114-221320-2");
    for name in &names[..4] {
        world.shelf.mark_served(name).unwrap();
    }
    assert_eq!(world.shelf.find("3").unwrap().name, names[2]);
    assert_eq!(
        world
            .shelf
            .find(&names[4])
            .unwrap()
            .manifest
            .about
            .deployment,
        5
    );
    assert!(matches!(
        world.shelf.find("../x"),
        Err(BackupError::Unknown(_))
    ));
    let pinned = BTreeSet::from([names[0].clone()]);
    assert_eq!(world.shelf.prune(2, &pinned).unwrap(), [names[1].clone()]);
    assert_eq!(
        world.shelf.discard_unserved(&pinned).unwrap(),
        [names[4].clone()]
    );
    let left: Vec<_> = world
        .shelf
        .list()
        .unwrap()
        .into_iter()
        .map(|backup| backup.name)
        .collect();
    assert_eq!(left, [&names[0], &names[2], &names[3]].map(Clone::clone));
    world.sweep();
    for backup in world.shelf.list().unwrap() {
        assert_eq!(verify(&backup).unwrap().differences, []);
    }
}

#[test]
fn what_was_interrupted_is_never_seen_and_swept() {
    let world = World::new();
    world.seal(1, Color::Blue);
    fs::create_dir_all(world.at(".backups/.sealing-backup-x/release")).unwrap();
    fs::create_dir_all(world.at(".backups/.removing-backup-y/release")).unwrap();
    fs::create_dir_all(world.at(".backups/backup-without-manifest")).unwrap();
    assert_eq!(world.shelf.list().unwrap().len(), 1);
    fs::create_dir_all(world.at(".backups/.sealed/backup-x/dist")).unwrap();
    world.sweep();
    assert_eq!(fs::read_dir(world.at(".backups")).unwrap().count(), 3);
    assert_eq!(
        fs::read_dir(world.at(".backups/.sealed")).unwrap().count(),
        1
    );
    assert_eq!(Shelf::new(world.at("nowhere")).list().unwrap(), []);
}

#[test]
fn a_restored_release_is_updated_incrementally() {
    let world = World::new();
    let repo: Repo = bare(&world.at("r.git"));
    fs::remove_dir_all(world.at("blue")).unwrap();
    fs::create_dir(world.at("blue")).unwrap();
    let index = |color: &str| world.at(&format!("meta/{color}/index"));
    let update = |list: &[(&str, &str)], color: &str| -> CheckedOut {
        let commit = commit(&repo, &files(list), "x", None);
        checkout(&repo, &commit, &world.at(color), &index(color), Mode::Fast).unwrap()
    };
    update(&[("a", "1"), ("b", "2"), ("gone", "3")], "blue");
    world.write("blue/node_modules/x", "cache");
    let backup = world.seal(1, Color::Blue);
    update(&[("green", "only")], "green");
    world.restore(&backup, Color::Green).unwrap();
    let done = update(&[("a", "1"), ("b", "22")], "green");
    assert_eq!((done.written, done.unchanged, done.removed), (1, 1, 1));
    assert_eq!(done.emptied, None);
    assert!(world.at("green/node_modules/x").exists());
    assert!(!world.at("green/gone").exists());
}

#[test]
#[ignore = "prints how long things take; run it by hand"]
#[allow(clippy::print_stderr)]
fn how_long_sealing_twenty_three_thousand_files_takes() {
    let base = std::env::var_os("TEAL_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let mut world = World::new();
    world.dir = tempfile::tempdir_in(base).unwrap();
    world.shelf = Shelf::new(world.at(".backups"));
    for at in 0..23_000 {
        let text = format!("{at}\n").repeat(2000);
        world.write(
            &format!("blue/node_modules/m{}/lib{}/f{at}.js", at / 60, at / 12),
            &text,
        );
    }
    fs::create_dir(world.at("green")).unwrap();
    let timed = |what: &str, act: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        act();
        eprintln!("{what}: {:?}", start.elapsed());
    };
    nix::unistd::sync();
    let (slot, ledger) = (world.at("blue"), world.ledger(Color::Blue));
    let index = world.at("meta/blue/index");
    let stop = std::sync::atomic::AtomicBool::new(false);
    timed("seal node_modules ahead", &mut || {
        let folders = (".", &["node_modules".to_owned()][..]);
        look_at_installed(&world.shelf, &slot, &ledger, "key", folders)
            .unwrap()
            .seal(&stop)
            .unwrap();
    });
    for id in 1..6 {
        world.write("blue/dist/main.js", &format!("{id}"));
        let mut begun = None;
        timed("begin", &mut || {
            begun = Some(begin(&world.shelf, &slot, &ledger, 1_700_000_000_000, &[]).unwrap());
        });
        timed("finish", &mut || {
            drop(
                begun
                    .take()
                    .unwrap()
                    .finish(about(id, Color::Blue), &index)
                    .unwrap(),
            );
        });
    }
    let backup = world.seal(9, Color::Blue);
    timed("verify", &mut || drop(verify(&backup).unwrap()));
    for _ in 0..3 {
        timed("restore", &mut || {
            world.restore(&backup, Color::Green).unwrap()
        });
    }
    timed("seal the other color", &mut || {
        drop(world.seal(10, Color::Green))
    });
    timed("remove", &mut || {
        world.shelf.remove(&backup.name).unwrap();
        world.sweep();
    });
    timed("cp -a", &mut || {
        let (from, to) = (world.at("blue"), world.at("copy"));
        let done = std::process::Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status();
        assert!(done.unwrap().success());
    });
}
