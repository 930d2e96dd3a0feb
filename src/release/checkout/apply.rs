use super::index::{Index, Kind, Stamp};
use super::plan::{Act, Plan};
use super::{CheckedOut, CheckoutError, blob_id};
use crate::release::walk::{Cursor, share_out, shown, split};
use crate::system::files::{AtPath, FileError};
use crate::system::folder::{EntryKind, Folder};
use crate::system::git::Repo;
use git2::Odb;
use rustix::fs::{Mode, fchmod, fstat};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Below this many files a second thread, with its own handle on the repository, costs more than it saves.
const WORTH_A_THREAD: usize = 64;

/// What one file turned out to need.
struct Outcome {
    at: usize,
    stamp: Stamp,
    written: bool,
    note: Option<String>,
}

/// Carries the plan out: removes, makes folders, then compares and writes files.
pub(super) fn apply(
    repo: &Repo,
    slot: &Folder,
    plan: &mut Plan,
    done: &mut CheckedOut,
) -> Result<(), CheckoutError> {
    done.removed = remove(slot, &plan.removals)?;
    make_folders(slot, plan)?;
    let work: Vec<usize> = (0..plan.acts.len())
        .filter(|at| plan.acts[*at] != Act::Keep && plan.index.entries[*at].kind.has_content())
        .collect();
    // Each thread has its own handle on the repository.
    let (path, index, acts) = (repo.path(), &plan.index, &plan.acts);
    let outcomes = match work.len() < WORTH_A_THREAD {
        true => write_all(repo, slot, index, acts, &work)?,
        false => share_out(&work, WORTH_A_THREAD, |part| {
            write_all(&Repo::open(path)?, slot, index, acts, part)
        })?,
    };
    done.written = outcomes.iter().filter(|outcome| outcome.written).count();
    done.unchanged = plan.index.files() - done.written;
    done.notes.append(&mut plan.notes);
    for outcome in outcomes {
        plan.index.entries[outcome.at].stamp = outcome.stamp;
        done.notes.extend(outcome.note);
    }
    Ok(())
}

/// What is inside a folder is listed after it, so the list is worked through from its end.
fn remove(slot: &Folder, removals: &[(Vec<u8>, bool)]) -> Result<usize, FileError> {
    let mut removed = 0;
    let mut cursor = Cursor::new(slot);
    for (path, was_folder) in removals.iter().rev() {
        let (parent, name) = split(path);
        if let Some(folder) = cursor.find(parent)? {
            let gone = if *was_folder {
                folder.remove_if_empty(name)?
            } else {
                folder.remove_unless_folder(name)?
            };
            removed += usize::from(gone);
        }
    }
    Ok(removed)
}

fn make_folders(slot: &Folder, plan: &Plan) -> Result<(), FileError> {
    let mut cursor = Cursor::new(slot);
    for (entry, act) in plan.index.entries.iter().zip(&plan.acts) {
        if *act != Act::Keep && matches!(entry.kind, Kind::Folder | Kind::Module) {
            cursor.make(plan.index.path(entry))?;
        }
    }
    Ok(())
}

fn write_all(
    repo: &Repo,
    slot: &Folder,
    index: &Index,
    acts: &[Act],
    work: &[usize],
) -> Result<Vec<Outcome>, CheckoutError> {
    let odb = repo.git().odb().map_err(repo.error("read objects"))?;
    let mut writer = Writer {
        repo,
        odb,
        cursor: Cursor::new(slot),
        index,
    };
    work.iter().map(|at| writer.put(*at, acts[*at])).collect()
}

struct Writer<'a> {
    repo: &'a Repo,
    odb: Odb<'a>,
    cursor: Cursor<'a>,
    index: &'a Index,
}

impl Writer<'_> {
    fn put(&mut self, at: usize, act: Act) -> Result<Outcome, CheckoutError> {
        let entry = self.index.entries[at];
        let path = self.index.path(&entry);
        let (parent, name) = split(path);
        let folder = self.cursor.make(parent)?;
        if act == Act::Check
            && let Some(stamp) = is_right(folder, name, entry.kind, entry.id)?
        {
            return Ok(Outcome {
                at,
                stamp,
                written: false,
                note: None,
            });
        }
        let object = self
            .odb
            .read(entry.id)
            .map_err(self.repo.error(format!("read `{}`", shown(path))))?;
        let mut note = None;
        let stamp = if entry.kind == Kind::Link {
            let target = OsStr::from_bytes(object.data());
            if leads_out(path, object.data()) {
                note = Some(format!(
                    "the link `{}` leads out of the release",
                    shown(path)
                ));
            }
            folder.link_to(target, name)?;
            stamp_of(folder, name)?
        } else {
            write_file(folder, name, object.data(), entry.kind.permissions())?
        };
        Ok(Outcome {
            at,
            stamp,
            written: true,
            note,
        })
    }
}

/// The stamp of a file that has exactly this content and mode; nothing when it has not.
fn is_right(
    folder: &Folder,
    name: &OsStr,
    kind: Kind,
    id: git2::Oid,
) -> Result<Option<Stamp>, FileError> {
    let path = || folder.path().join(name);
    if kind == Kind::Link {
        let Some(stat) = folder.stat(name)? else {
            return Ok(None);
        };
        let right = EntryKind::of_mode(stat.st_mode) == EntryKind::Link
            && blob_id(folder.read_link(name)?.as_bytes()) == Some(id);
        return Ok(right.then(|| Stamp::of(&stat)));
    }
    let Some(mut file) = folder.open_file(name)? else {
        return Ok(None);
    };
    // Looked at before it is read: a change while it is read then shows as a newer stamp.
    let stat = fstat(&file)
        .map_err(io::Error::from)
        .at("look at", &path())?;
    if stat.st_mode & 0o7777 != kind.permissions() {
        return Ok(None);
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content).at("read", &path())?;
    Ok((blob_id(&content) == Some(id)).then(|| Stamp::of(&stat)))
}

fn write_file(
    folder: &Folder,
    name: &OsStr,
    content: &[u8],
    permissions: u32,
) -> Result<Stamp, FileError> {
    let path = || folder.path().join(name);
    let mut file = folder.create_file(name, permissions)?;
    file.write_all(content).at("write", &path())?;
    let look = || fstat(&file).map_err(io::Error::from).at("look at", &path());
    let stat = look()?;
    if stat.st_mode & 0o7777 == permissions {
        return Ok(Stamp::of(&stat));
    }
    // The server's umask was stricter than what the commit says.
    fchmod(&file, Mode::from_raw_mode(permissions))
        .map_err(io::Error::from)
        .at("set the mode of", &path())?;
    Ok(Stamp::of(&look()?))
}

fn stamp_of(folder: &Folder, name: &OsStr) -> Result<Stamp, FileError> {
    match folder.stat(name)? {
        Some(stat) => Ok(Stamp::of(&stat)),
        None => {
            Err(io::Error::from(io::ErrorKind::NotFound)).at("look at", &folder.path().join(name))
        }
    }
}

/// Whether a link at this path points above the slot, as far as its text tells.
fn leads_out(path: &[u8], target: &[u8]) -> bool {
    use std::path::Component;
    let mut depth = path.iter().filter(|byte| **byte == b'/').count();
    for part in Path::new(OsStr::from_bytes(target)).components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
        }
    }
    false
}
