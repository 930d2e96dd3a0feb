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
        seal(&self.shelf, &slot, &index, about(deployment, color)).unwrap()
    }

    fn restore(&self, backup: &Backup, color: Color) -> Result<(), BackupError> {
        let index = self.at(&format!("meta/{color}/index"));
        restore(backup, &self.at(color.as_str()), &index)
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
    for backup in [&one, &two] {
        hash_files(backup).unwrap();
    }
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
    hash_files(&three).unwrap();
    for backup in [&one, &two, &three] {
        let verified = verify(backup).unwrap();
        assert_eq!(verified.differences, []);
        assert_eq!((verified.compared, verified.unhashed), (3, 0));
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

/// Lets the sealing have begun long after the files were written, as it does when nothing was built. Returns once the
/// system's clock for stamps has moved on.
fn settle(backup: &Backup) {
    let mut records = record::Records::load(&backup.files()).unwrap().unwrap();
    records.sealed += 1_000_000_000;
    fs::write(backup.files(), records.encode()).unwrap();
    let probe = backup.path.join("probe");
    let stamp = || {
        fs::write(&probe, "x").unwrap();
        let stat = fs::metadata(&probe).unwrap();
        (stat.ctime(), stat.ctime_nsec())
    };
    let first = stamp();
    while stamp() == first {}
    fs::remove_file(&probe).unwrap();
}

#[test]
fn a_change_with_the_same_size_and_time_is_sealed_too() {
    let world = World::new();
    let one = world.seal(1, Color::Blue);
    settle(&one);
    let path = world.at("blue/dist/main.js");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    world.write("blue/dist/main.js", "c0de");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_modified(time).unwrap();
    let two = world.seal(2, Color::Blue);
    let read = |backup: &Backup| fs::read_to_string(backup.release().join("dist/main.js")).unwrap();
    assert_eq!((read(&one), read(&two)), ("code".into(), "c0de".into()));
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
    if two.manifest.copied_bytes == 0 {
        // A file system that shares blocks needs no second names.
        return;
    }
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
    assert_eq!(verify(&backup).unwrap().unhashed, 3);
    hash_files(&backup).unwrap();
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
    for backup in world.shelf.list().unwrap() {
        hash_files(&backup).unwrap();
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
    world.shelf.sweep().unwrap();
    assert_eq!(fs::read_dir(world.at(".backups")).unwrap().count(), 2);
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
        let text = format!("{at}\n").repeat(900);
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
    for id in 1..4 {
        timed("seal", &mut || drop(world.seal(id, Color::Blue)));
    }
    let backup = world.seal(9, Color::Blue);
    timed("hash", &mut || hash_files(&backup).unwrap());
    timed("verify", &mut || drop(verify(&backup).unwrap()));
    timed("restore", &mut || {
        world.restore(&backup, Color::Green).unwrap()
    });
    timed("seal the other color", &mut || {
        drop(world.seal(10, Color::Green))
    });
    timed("remove", &mut || world.shelf.remove(&backup.name).unwrap());
    timed("cp -a", &mut || {
        let (from, to) = (world.at("blue"), world.at("copy"));
        let done = std::process::Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status();
        assert!(done.unwrap().success());
    });
}
