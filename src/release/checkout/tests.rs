use super::*;
use crate::system::git::testing::{Files, bare, commit, files};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

/// One slot with its repository; everything is removed with it.
struct World {
    dir: tempfile::TempDir,
    repo: Repo,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let repo = bare(&dir.path().join("r.git"));
        fs::create_dir(dir.path().join("slot")).unwrap();
        World { dir, repo }
    }

    fn slot(&self) -> PathBuf {
        self.dir.path().join("slot")
    }

    fn index(&self) -> PathBuf {
        self.dir.path().join("meta/index")
    }

    fn check_out(&self, files: &Files, mode: Mode) -> Result<CheckedOut, CheckoutError> {
        let commit = commit(&self.repo, files, "x", None);
        checkout(&self.repo, &commit, &self.slot(), &self.index(), mode)
    }

    fn fast(&self, files: &Files) -> CheckedOut {
        self.check_out(files, Mode::Fast).unwrap()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.slot().join(path)).unwrap()
    }
}

/// Lets the time that files were written at lie far enough back to be trusted, as it does between deployments.
fn settle(world: &World) {
    settle_index(&world.index());
}

/// The same for any index. Returns once the system's clock for stamps has moved on.
pub(super) fn settle_index(file: &Path) {
    let mut index = Index::load(file).unwrap().unwrap();
    index.settle();
    index.save_as_written(file);
    let probe = file.with_extension("probe");
    let stamp = || {
        fs::write(&probe, "x").unwrap();
        let stat = fs::metadata(&probe).unwrap();
        (stat.ctime(), stat.ctime_nsec())
    };
    let first = stamp();
    while stamp() == first {}
}

#[test]
fn only_what_differs_is_written_and_caches_stay() {
    let world = World::new();
    let mut tree = files(&[("a", "1"), ("d/b", "2"), ("d/c", "3"), ("e/f/g", "4")]);
    assert_eq!(world.fast(&tree).written, 4);
    settle(&world);
    fs::create_dir(world.slot().join("node_modules")).unwrap();
    fs::write(world.slot().join("node_modules/x"), "x").unwrap();
    fs::write(world.slot().join("d/cache"), "x").unwrap();
    tree.insert("d/b".into(), (0o100_755, b"22".to_vec()));
    tree.remove("e/f/g");
    let done = world.fast(&tree);
    assert_eq!((done.written, done.unchanged, done.removed), (1, 2, 3));
    assert_eq!(world.read("d/b"), "22");
    assert!(!world.slot().join("e").exists());
    assert_eq!(world.read("d/cache"), "x");
    let done = world.check_out(&tree, Mode::Full).unwrap();
    assert_eq!(done.written, 3);
    assert!(!world.slot().join("node_modules").exists());
}

#[test]
fn a_change_behind_our_back_is_noticed_with_the_same_size_and_time() {
    let world = World::new();
    let tree = files(&[("a", "one"), ("b", "two"), ("d/c", "three")]);
    world.fast(&tree);
    settle(&world);
    let path = world.slot().join("a");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut &file, b"eno").unwrap();
    file.set_modified(time).unwrap();
    fs::set_permissions(world.slot().join("b"), PermissionsExt::from_mode(0o4644)).unwrap();
    let done = world.fast(&tree);
    assert_eq!((done.written, done.unchanged), (2, 1));
    assert_eq!(world.read("a"), "one");
    let mode = fs::metadata(world.slot().join("b"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);
}

#[test]
fn a_folder_moved_away_and_linked_back_is_not_followed() {
    let world = World::new();
    let tree = files(&[("d/e/f", "1"), ("x", "2")]);
    world.fast(&tree);
    settle(&world);
    let outside = world.dir.path().join("outside");
    fs::rename(world.slot().join("d"), &outside).unwrap();
    symlink(&outside, world.slot().join("d")).unwrap();
    assert_eq!(world.fast(&tree).written, 1);
    assert!(
        fs::symlink_metadata(world.slot().join("d"))
            .unwrap()
            .is_dir()
    );
    fs::remove_dir_all(world.slot().join("d")).unwrap();
    symlink(&outside, world.slot().join("d")).unwrap();
    world.fast(&files(&[("x", "2")]));
    assert_eq!(fs::read_to_string(outside.join("e/f")).unwrap(), "1");
}

#[test]
fn a_planted_link_is_replaced_not_written_through() {
    let world = World::new();
    world.fast(&files(&[("x", "2")]));
    let outside = world.dir.path().join("outside");
    fs::write(&outside, "kept").unwrap();
    symlink(&outside, world.slot().join("new")).unwrap();
    fs::hard_link(&outside, world.slot().join("other")).unwrap();
    symlink(world.dir.path(), world.slot().join("folder")).unwrap();
    fs::write(world.slot().join("where"), "a file where a folder goes").unwrap();
    world.fast(&files(&[
        ("new", "n"),
        ("other", "o"),
        ("folder/outside", "f"),
        ("where/x", "w"),
    ]));
    assert_eq!(fs::read_to_string(&outside).unwrap(), "kept");
    assert_eq!(
        world.read("new")
            + &world.read("other")
            + &world.read("folder/outside")
            + &world.read("where/x"),
        "nofw"
    );
}

#[test]
fn an_interrupted_checkout_leaves_nothing_of_its_own_behind() {
    let world = World::new();
    let one = files(&[("a", "1"), ("b", "2")]);
    world.fast(&one);
    let kept = fs::read(world.index()).unwrap();
    let two = files(&[("a", "9"), ("new/c", "3"), ("new/d", "4")]);
    world.fast(&two);
    // As if the process had died before it could write the index of the second checkout.
    fs::write(world.index(), kept).unwrap();
    let three = files(&[("a", "1"), ("new/d", "5")]);
    world.fast(&three);
    assert_eq!(world.read("a") + &world.read("new/d"), "15");
    assert!(!world.slot().join("new/c").exists());
    assert!(!world.slot().join("b").exists());
    let mut four = three.clone();
    four.insert("z".into(), (0o100_644, vec![]));
    assert_eq!(world.fast(&four).removed, 0);
}

#[test]
fn a_slot_of_unknown_content_is_emptied() {
    let world = World::new();
    let tree = files(&[("a", "1")]);
    world.fast(&tree);
    fs::write(world.slot().join("stray"), "x").unwrap();
    fs::write(world.index(), "torn").unwrap();
    let done = world.fast(&tree);
    assert!(done.emptied.is_some());
    assert!(!world.slot().join("stray").exists());
    assert_eq!(world.read("a"), "1");
}

#[test]
fn after_a_restart_of_the_machine_contents_are_compared() {
    let world = World::new();
    let tree = files(&[("a", "1"), ("b", "2")]);
    world.fast(&tree);
    settle(&world);
    let mut index = Index::load(&world.index()).unwrap().unwrap();
    index.distrust();
    let seen = look::look(&Folder::open(&world.slot()).unwrap(), &index).unwrap();
    assert!(seen.iter().all(|seen| *seen == look::Seen::Suspect));
    assert_eq!(world.fast(&tree).written, 0);
}

#[test]
fn hostile_names_refuse_the_whole_commit() {
    let world = World::new();
    let blob = world.repo.git().blob(b"x").unwrap();
    let inner = |name: &[u8]| {
        // libgit2's own builder refuses such names, so the object is written by hand.
        let mut raw = b"100644 ".to_vec();
        raw.extend_from_slice(name);
        raw.push(0);
        raw.extend_from_slice(blob.as_bytes());
        let odb = world.repo.git().odb().unwrap();
        odb.write(git2::ObjectType::Tree, &raw).unwrap()
    };
    for name in [&b".."[..], b".git", b".GIT", b"a/b", b"."] {
        let tree = inner(name);
        let plan = Plan::make(&world.repo, tree, &Index::nothing(), &[]);
        assert!(plan.is_err(), "{}", String::from_utf8_lossy(name));
    }
}

#[test]
fn a_tree_without_end_is_refused() {
    let world = World::new();
    let git = world.repo.git();
    let mut tree = git.treebuilder(None).unwrap().write().unwrap();
    for _ in 0..300 {
        let mut builder = git.treebuilder(None).unwrap();
        for name in ["a", "b", "c"] {
            builder.insert(name, tree, 0o040_000).unwrap();
        }
        tree = builder.write().unwrap();
    }
    let plan = Plan::make(&world.repo, tree, &Index::nothing(), &[]);
    assert!(matches!(plan, Err(CheckoutError::TooDeep { .. })));
}

#[test]
fn links_submodules_and_the_reserved_name_are_noted() {
    let world = World::new();
    let mut tree = files(&[
        (".build-hash", "lie"),
        (".gitmodules", "[submodule \"x\"]\n"),
        ("a", "1"),
    ]);
    tree.insert("shadow".into(), (0o120_000, b"/etc/shadow".to_vec()));
    tree.insert("d/up".into(), (0o120_000, b"../a".to_vec()));
    tree.insert("vendor/lib".into(), (0o160_000, vec![]));
    let done = world.fast(&tree);
    assert_eq!(done.notes.len(), 3, "{:?}", done.notes);
    assert!(!world.slot().join(".build-hash").exists());
    assert!(
        fs::read_dir(world.slot().join("vendor/lib"))
            .unwrap()
            .next()
            .is_none()
    );
    assert_eq!(
        fs::read_link(world.slot().join("shadow")).unwrap(),
        Path::new("/etc/shadow")
    );
}

#[test]
#[ignore = "prints how long things take; run it by hand"]
#[allow(clippy::print_stderr)]
fn how_long_a_checkout_of_twenty_thousand_files_takes() {
    let world = World::new();
    let mut tree = Files::new();
    for at in 0..20_000 {
        let path = format!("packages/p{}/src/f{}/file-{at}.ts", at / 400, at / 20);
        tree.insert(
            path,
            (0o100_644, format!("{at}\n").repeat(300).into_bytes()),
        );
    }
    let timed = |what: &str, tree: &Files| {
        let commit = commit(&world.repo, tree, "x", None);
        let repo = Repo::open(world.repo.path()).unwrap();
        let start = std::time::Instant::now();
        let done = checkout(&repo, &commit, &world.slot(), &world.index(), Mode::Fast).unwrap();
        let took = start.elapsed();
        eprintln!("{what}: {took:?} {} written", done.written);
    };
    timed("first", &tree);
    timed("again", &tree);
    settle_index(&world.index());
    for round in 0..8 {
        tree.insert(
            "packages/p7/src/f150/file-3000.ts".into(),
            (0o100_644, vec![round]),
        );
        timed("one file", &tree);
    }
    settle_index(&world.index());
    timed("nothing", &tree);
}
