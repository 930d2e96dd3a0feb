use super::record::{Kind, Record, Records};
use crate::release::checkout::shown;
use crate::system::copy::Copier;
use crate::system::files::{AtPath, FileError};
use crate::system::folder::{Entry, EntryKind, Folder};
use rustix::fs::{Mode, Stat, Timespec, Timestamps, fchmod, fstat, futimens};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// An earlier backup whose files may be shared.
pub(super) struct Earlier {
    pub(super) release: Folder,
    pub(super) records: Records,
    /// Whether it was sealed from the same slot, so that its stamps can be compared with that slot's files.
    pub(super) same_slot: bool,
}

/// What a copy of a tree came to.
#[derive(Default)]
pub(super) struct Copied {
    pub(super) records: Vec<Record>,
    /// Bytes that were really copied.
    pub(super) copied_bytes: u64,
    /// Files that became second names of an earlier backup's.
    pub(super) linked: usize,
    pub(super) notes: Vec<String>,
}

/// Copies everything below `from` into the empty folder `to`, with permissions and times, on a few threads. Files that
/// an earlier backup has already become second names of those. Set-user-id bits are dropped; devices, FIFOs and
/// sockets are left out with a note; `except` is a name at the top that is left out silently.
pub(super) fn copy_tree(
    from: &Folder,
    to: &Folder,
    earlier: &[Earlier],
    except: Option<&OsStr>,
) -> Result<Copied, FileError> {
    let mut olds = Vec::new();
    for old in earlier {
        olds.push(Some(Arc::new(old.release.again()?)));
    }
    let copy = Copy {
        earlier: earlier.iter().map(Known::of).collect(),
        except,
        copier: Copier::default(),
        queue: Queue::default(),
    };
    copy.queue.add(vec![Job {
        from: Arc::new(from.again()?),
        to: Arc::new(to.again()?),
        olds,
        path: Vec::new(),
    }]);
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(4));
    let parts = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| copy.work())).collect();
        let joined = workers.into_iter().map(|worker| match worker.join() {
            Ok(part) => part,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.collect::<Vec<_>>()
    });
    let mut all = Copied::default();
    for part in parts {
        let part = part?;
        all.records.extend(part.records);
        all.copied_bytes += part.copied_bytes;
        all.linked += part.linked;
        all.notes.extend(part.notes);
    }
    all.records.sort_by(|a, b| a.path.cmp(&b.path));
    all.notes.sort();
    Ok(all)
}

/// An earlier backup with its records by path.
struct Known<'a> {
    earlier: &'a Earlier,
    by_path: HashMap<&'a [u8], &'a Record>,
}

impl<'a> Known<'a> {
    fn of(earlier: &'a Earlier) -> Known<'a> {
        let files = earlier.records.list.iter();
        Known {
            earlier,
            by_path: files
                .filter(|record| record.kind == Kind::File)
                .map(|record| (record.path.as_slice(), record))
                .collect(),
        }
    }
}

/// One folder to be copied: it is open already, and so are its counterparts in the earlier backups.
struct Job {
    from: Arc<Folder>,
    to: Arc<Folder>,
    olds: Vec<Option<Arc<Folder>>>,
    path: Vec<u8>,
}

struct Copy<'a> {
    earlier: Vec<Known<'a>>,
    except: Option<&'a OsStr>,
    copier: Copier,
    queue: Queue,
}

impl Copy<'_> {
    fn work(&self) -> Result<Copied, FileError> {
        let mut done = Copied::default();
        while let Some(job) = self.queue.next() {
            let copied = self.folder(&job, &mut done);
            self.queue.finished(copied.is_err());
            copied?;
        }
        Ok(done)
    }

    fn folder(&self, job: &Job, done: &mut Copied) -> Result<(), FileError> {
        for entry in job.from.entries()? {
            if job.path.is_empty() && self.except == Some(&entry.name) {
                continue;
            }
            let path = below(&job.path, &entry.name);
            match entry.kind {
                EntryKind::Folder => self.subfolder(job, &entry, path, done)?,
                EntryKind::File => self.file(job, &entry.name, path, done)?,
                EntryKind::Link => {
                    let text = job.from.read_link(&entry.name)?;
                    job.to.link_to(&text, &entry.name)?;
                    done.records.push(Record {
                        path,
                        kind: Kind::Link,
                        mode: 0o777,
                        size: text.len() as u64,
                        modified: 0,
                        source: (0, 0),
                        hash: Some(Sha256::digest(text.as_bytes()).into()),
                    });
                }
                EntryKind::Special => done.notes.push(format!(
                    "`{}` is a device, FIFO or socket: left out",
                    shown(&path)
                )),
            }
        }
        Ok(())
    }

    /// Makes the folder and leaves what is in it to whoever is free.
    fn subfolder(
        &self,
        job: &Job,
        entry: &Entry,
        path: Vec<u8>,
        done: &mut Copied,
    ) -> Result<(), FileError> {
        let from = job.from.folder(&entry.name)?;
        let to = job.to.make_folder(&entry.name)?;
        let stat = looked_at(&from, fstat(from.fd()))?;
        // Whoever removes the copy one day must be able to enter it.
        let mode = stat.st_mode & 0o777 | 0o700;
        if mode != 0o755 {
            looked_at(&to, fchmod(to.fd(), Mode::from_raw_mode(mode)))?;
        }
        let mut olds = Vec::with_capacity(job.olds.len());
        for old in &job.olds {
            olds.push(match old {
                Some(old) => old.folder_if_there(&entry.name)?.map(Arc::new),
                None => None,
            });
        }
        done.records.push(Record {
            path: path.clone(),
            kind: Kind::Folder,
            mode,
            size: 0,
            modified: 0,
            source: (0, 0),
            hash: None,
        });
        self.queue.add(vec![Job {
            from: Arc::new(from),
            to: Arc::new(to),
            olds,
            path,
        }]);
        Ok(())
    }

    fn file(
        &self,
        job: &Job,
        name: &OsStr,
        path: Vec<u8>,
        done: &mut Copied,
    ) -> Result<(), FileError> {
        let Some(stat) = job.from.stat(name)? else {
            return Ok(());
        };
        let mut record = record_of(path, &stat);
        if let Some(hash) = self.shared(job, name, &record)? {
            record.hash = hash;
            done.linked += 1;
        } else if let Some(file) = job.from.open_file(name)? {
            let stat = looked_at(&job.from, fstat(&file))?;
            record = record_of(record.path, &stat);
            let copy = job.to.create_file(name, record.mode)?;
            let at = || job.to.path().join(name);
            self.copier.copy(&file, &copy).at("write", &at())?;
            finish(&copy, &stat, record.mode).at("write", &at())?;
            if !self.copier.shares() {
                done.copied_bytes += record.size;
            }
        } else {
            return Ok(());
        }
        if stat.st_mode & 0o7000 != 0 {
            done.notes.push(format!(
                "`{}` lost its set-user-id, set-group-id or sticky bit",
                shown(&record.path)
            ));
        }
        done.records.push(record);
        Ok(())
    }

    /// Makes the file a second name of an earlier backup's, if one of them surely has the same; says its hash then.
    fn shared(
        &self,
        job: &Job,
        name: &OsStr,
        record: &Record,
    ) -> Result<Option<Option<[u8; 32]>>, FileError> {
        for (known, old) in self.earlier.iter().zip(&job.olds) {
            let Some(old) = old else { continue };
            let Some(before) = known.by_path.get(record.path.as_slice()) else {
                continue;
            };
            let like = before.size == record.size
                && before.mode == record.mode
                && before.modified == record.modified;
            if !like {
                continue;
            }
            let same_file = known.earlier.same_slot
                && before.source == record.source
                && known.earlier.records.trusts(before.source);
            // Where blocks can be shared, sharing them is cheaper than reading both files.
            let same = same_file || (!self.copier.shares() && same_content(&job.from, old, name)?);
            if same
                // A file can have only so many names; then it is copied.
                && job.to.hard_link(old, name, name).is_ok()
            {
                return Ok(Some(before.hash));
            }
        }
        Ok(None)
    }
}

fn below(path: &[u8], name: &OsStr) -> Vec<u8> {
    let mut below = Vec::with_capacity(path.len() + 1 + name.len());
    if !path.is_empty() {
        below.extend_from_slice(path);
        below.push(b'/');
    }
    below.extend_from_slice(name.as_bytes());
    below
}

fn looked_at<T>(folder: &Folder, result: rustix::io::Result<T>) -> Result<T, FileError> {
    result.map_err(io::Error::from).at("look at", folder.path())
}

fn record_of(path: Vec<u8>, stat: &Stat) -> Record {
    let nanos =
        |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Record {
        path,
        kind: Kind::File,
        mode: stat.st_mode & 0o777,
        size: stat.st_size.try_into().unwrap_or(0),
        modified: nanos(stat.st_mtime, stat.st_mtime_nsec as i64),
        source: (nanos(stat.st_ctime, stat.st_ctime_nsec as i64), stat.st_ino),
        hash: None,
    }
}

/// Gives the copy the original's permissions (the umask may have taken some) and the time of its content.
fn finish(copy: &File, stat: &Stat, mode: u32) -> io::Result<()> {
    fchmod(copy, Mode::from_raw_mode(mode))?;
    let time = Timespec {
        tv_sec: stat.st_mtime,
        tv_nsec: stat.st_mtime_nsec as _,
    };
    futimens(
        copy,
        &Timestamps {
            last_access: time,
            last_modification: time,
        },
    )?;
    Ok(())
}

fn same_content(from: &Folder, old: &Folder, name: &OsStr) -> Result<bool, FileError> {
    let (Some(mut one), Some(mut two)) = (from.open_file(name)?, old.open_file(name)?) else {
        return Ok(false);
    };
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let read = fill(&mut one, &mut left).at("read", &from.path().join(name))?;
        let other = fill(&mut two, &mut right).at("read", &old.path().join(name))?;
        if left[..read] != right[..other] {
            return Ok(false);
        }
        if read == 0 {
            return Ok(true);
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The folders still to be copied. Taken from the end, so that few are open at a time.
#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Job>,
    busy: usize,
    failed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing is left half-changed under this lock, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, jobs: Vec<Job>) {
        self.lock().jobs.extend(jobs);
        self.changed.notify_one();
    }

    /// The next folder; nothing once all are done or one has failed.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.failed {
                return None;
            }
            if let Some(job) = state.jobs.pop() {
                state.busy += 1;
                return Some(job);
            }
            if state.busy == 0 {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finished(&self, failed: bool) {
        let mut state = self.lock();
        state.busy -= 1;
        state.failed |= failed;
        drop(state);
        self.changed.notify_all();
    }
}
