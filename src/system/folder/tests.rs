use super::*;
use std::fs;
use std::os::unix::fs::symlink;

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

#[test]
fn a_link_in_the_way_is_replaced_and_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "kept").unwrap();
    symlink(outside.path(), dir.path().join("a")).unwrap();
    symlink(outside.path().join("kept"), dir.path().join("f")).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert!(folder.folder(name("a")).is_err());
    assert!(folder.folder_if_there(name("a")).unwrap().is_none());
    assert!(folder.open_file(name("f")).unwrap().is_none());
    folder.make_folder(name("a")).unwrap();
    folder.create_file(name("f"), 0o644).unwrap();
    assert!(fs::symlink_metadata(dir.path().join("a")).unwrap().is_dir());
    assert_eq!(fs::read(outside.path().join("kept")).unwrap(), b"kept");
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"");
}

#[test]
fn removing_a_tree_leaves_what_its_links_point_to() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "kept").unwrap();
    fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
    symlink(outside.path(), dir.path().join("a/b/out")).unwrap();
    fs::write(dir.path().join("a/b/c/file"), "x").unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert!(folder.remove(name("a")).unwrap());
    assert!(!folder.remove(name("a")).unwrap());
    assert!(outside.path().join("kept").exists());
}

#[test]
fn a_tree_deeper_than_there_are_descriptors_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut here = folder.make_folder(name("deep")).unwrap();
    for _ in 0..3000 {
        here = here.make_folder(name("d")).unwrap();
    }
    here.create_file(name("bottom"), 0o644).unwrap();
    assert!(folder.remove(name("deep")).unwrap());
    assert!(folder.entries().unwrap().is_empty());
}

#[test]
fn a_path_that_leaves_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert!(folder.beneath(Path::new("../x")).is_err());
    assert!(folder.make_beneath(Path::new("/etc")).is_err());
    assert!(folder.beneath(Path::new("nothing/here")).unwrap().is_none());
    folder.make_beneath(Path::new("./a/b")).unwrap();
    assert!(dir.path().join("a/b").is_dir());
}

#[test]
fn a_fifo_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    nix::unistd::mkfifo(
        &dir.path().join("pipe"),
        nix::sys::stat::Mode::from_bits_truncate(0o600),
    )
    .unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    assert!(folder.open_file(name("pipe")).unwrap().is_none());
    assert_eq!(folder.entries().unwrap()[0].kind, EntryKind::Special);
}

#[test]
fn the_room_of_a_file_system_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let free = Folder::open(dir.path()).unwrap().free().unwrap();
    assert!(free.bytes > 0, "{free:?}");
}
