use super::record::{Kind, Records};
use super::shelf::SEALING;
use super::tree::{Copied, Earlier, copy_tree};
use super::{About, Backup, BackupError, FILES, INDEX, Manifest, RELEASE, Shelf, VERSION};
use crate::release::checkout::{BUILD_HASH, for_a_copy, forget, shown};
use crate::system::files::{AtPath, FileError, create_dir, write_atomic};
use crate::system::folder::Folder;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Seals the release in `slot` as it is now. Nothing may be writing to it meanwhile. `index_file` is the slot's checkout
/// index, so that a restored release can be updated incrementally again.
pub fn seal(
    shelf: &Shelf,
    slot: &Path,
    index_file: &Path,
    about: About,
) -> Result<Backup, BackupError> {
    let folder = shelf.open()?;
    let sealed = now();
    let name = shelf.free_name(about.created_ms)?;
    let unfinished = format!("{SEALING}{name}");
    folder.remove(OsStr::new(&unfinished))?;
    let place = folder.make_folder(OsStr::new(&unfinished))?;
    let made = fill(shelf, &place, slot, index_file, about, sealed).and_then(|mut backup| {
        folder.take(&folder, OsStr::new(&unfinished), OsStr::new(&name))?;
        folder.sync()?;
        backup.path = shelf.dir().join(&name);
        backup.name = name;
        Ok(backup)
    });
    if made.is_err() {
        // The first error is the one to tell; what could not be removed now is swept later.
        let _ = folder.remove(OsStr::new(&unfinished));
    }
    made
}

fn fill(
    shelf: &Shelf,
    place: &Folder,
    slot: &Path,
    index_file: &Path,
    about: About,
    sealed: i64,
) -> Result<Backup, BackupError> {
    let earlier = earlier(shelf, &about)?;
    let release = place.make_folder(OsStr::new(RELEASE))?;
    let Copied {
        records,
        copied_bytes,
        notes,
        ..
    } = copy_tree(&Folder::open(slot)?, &release, &earlier, None)?;
    let files = records.iter().filter(|record| record.kind != Kind::Folder);
    let manifest = Manifest {
        version: VERSION,
        about,
        served: false,
        files: files.clone().count() as u64,
        bytes: files.map(|record| record.size).sum(),
        copied_bytes,
        notes,
    };
    let list = Records {
        sealed,
        list: records,
    };
    let path = place.path();
    let write = |name: &str, content: &[u8]| {
        fs::write(path.join(name), content).at("write", &path.join(name))
    };
    write(FILES, &list.encode())?;
    if let Some(index) = copied_index(index_file)? {
        write(INDEX, &index)?;
    }
    // Everything in one go, instead of a sync for each of thousands of files.
    place.sync_file_system()?;
    let backup = Backup {
        name: String::new(),
        path: path.to_owned(),
        manifest,
    };
    backup.save_manifest()?;
    Ok(backup)
}

/// The backups to share files with: the last one from the same slot, whose files can be recognised without reading
/// them, and the newest one of all.
fn earlier(shelf: &Shelf, about: &About) -> Result<Vec<Earlier>, BackupError> {
    let all = shelf.list()?;
    let twin = all
        .iter()
        .rev()
        .find(|backup| backup.manifest.about.color == about.color);
    let newest = all
        .last()
        .filter(|newest| twin.is_none_or(|twin| twin.name != newest.name));
    let mut earlier = Vec::new();
    for backup in twin.into_iter().chain(newest) {
        if let Some(records) = Records::load(&backup.files())? {
            earlier.push(Earlier {
                release: Folder::open(&backup.release())?,
                records,
                same_slot: backup.manifest.about.color == about.color,
            });
        }
    }
    Ok(earlier)
}

fn copied_index(file: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(file) {
        Ok(index) => Ok(for_a_copy(&index)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).at("read", file),
    }
}

/// Fills a slot with a sealed release: the slot is emptied first, every file is a copy of its own, and the copy is
/// held against the list of what was sealed. The slot's `.build-hash` comes last.
pub fn restore(backup: &Backup, slot: &Path, index_file: &Path) -> Result<(), BackupError> {
    let damaged = |what: String| BackupError::Damaged {
        name: backup.name.clone(),
        what,
    };
    let records = Records::load(&backup.files())?
        .ok_or_else(|| damaged("its list of files is missing or torn".to_owned()))?;
    forget(index_file)?;
    let folder = Folder::open(slot)?;
    folder.empty()?;
    let release = Folder::open(&backup.release())?;
    let build_hash = OsStr::new(BUILD_HASH);
    let copied = copy_tree(&release, &folder, &[], Some(build_hash))?;
    let wanted = records
        .list
        .iter()
        .filter(|record| record.path != BUILD_HASH.as_bytes());
    let mut got = copied.records.iter();
    for record in wanted {
        let name = || shown(&record.path);
        match got.next() {
            Some(copy) if copy.path == record.path => {
                if (copy.kind, copy.size, copy.mode) != (record.kind, record.size, record.mode) {
                    return Err(damaged(format!("`{}` is not what was sealed", name())));
                }
            }
            _ => {
                return Err(damaged(format!(
                    "`{}` is missing, or there is more than was sealed",
                    name()
                )));
            }
        }
    }
    if let Some(more) = got.next() {
        return Err(damaged(format!("`{}` was not sealed", shown(&more.path))));
    }
    let index = backup.path.join(INDEX);
    match fs::read(&index) {
        Ok(content) => {
            if let Some(parent) = index_file.parent() {
                create_dir(parent, 0o700)?;
            }
            write_atomic(index_file, &content, 0o600)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).at("read", &index).map_err(BackupError::from),
    }
    if let Some(mut hash) = release.open_file(build_hash)? {
        let mut copy = folder.create_file(build_hash, 0o644)?;
        io::copy(&mut hash, &mut copy).at("write", &slot.join(BUILD_HASH))?;
    }
    Ok(())
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|time| time.as_nanos().try_into().ok())
        .unwrap_or(0)
}
