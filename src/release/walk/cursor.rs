use crate::system::files::FileError;
use crate::system::folder::Folder;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Walks a slot from folder to folder along sorted paths, and opens each folder once. Links are never entered.
pub(in crate::release) struct Cursor<'a> {
    root: &'a Folder,
    /// The folders open now, each inside the one before, with the length of its path.
    open: Vec<(usize, Folder)>,
    path: Vec<u8>,
    /// The last path that turned out to be no folder.
    missing: Option<Vec<u8>>,
}

impl<'a> Cursor<'a> {
    pub(in crate::release) fn new(root: &'a Folder) -> Self {
        Cursor {
            root,
            open: Vec::new(),
            path: Vec::new(),
            missing: None,
        }
    }

    /// The folder at this path, or nothing when it or a folder above it is not there.
    pub(in crate::release) fn find(&mut self, path: &[u8]) -> Result<Option<&Folder>, FileError> {
        if let Some(missing) = &self.missing
            && is_or_is_below(path, missing)
        {
            return Ok(None);
        }
        self.leave_for(path);
        while self.path.len() < path.len() {
            let (name, end) = self.next_part(path);
            match self.here().folder_if_there(name)? {
                Some(folder) => self.enter(path, end, folder),
                None => {
                    self.missing = Some(path[..end].to_vec());
                    return Ok(None);
                }
            }
        }
        Ok(Some(self.here()))
    }

    /// The folder at this path, made when it is missing; what is in the way is removed.
    pub(in crate::release) fn make(&mut self, path: &[u8]) -> Result<&Folder, FileError> {
        self.missing = None;
        self.leave_for(path);
        while self.path.len() < path.len() {
            let (name, end) = self.next_part(path);
            let folder = self.here().make_folder(name)?;
            self.enter(path, end, folder);
        }
        Ok(self.here())
    }

    fn here(&self) -> &Folder {
        self.open.last().map_or(self.root, |(_, folder)| folder)
    }

    fn leave_for(&mut self, path: &[u8]) {
        while !is_or_is_below(path, &self.path) {
            self.open.pop();
            let length = self.open.last().map_or(0, |(length, _)| *length);
            self.path.truncate(length);
        }
    }

    /// The next part of `path` below where the cursor stands, and where it ends.
    fn next_part<'p>(&self, path: &'p [u8]) -> (&'p OsStr, usize) {
        let start = match self.path.len() {
            0 => 0,
            length => length + 1,
        };
        let end = path[start..]
            .iter()
            .position(|byte| *byte == b'/')
            .map_or(path.len(), |at| start + at);
        (OsStr::from_bytes(&path[start..end]), end)
    }

    fn enter(&mut self, path: &[u8], end: usize, folder: Folder) {
        self.open.push((end, folder));
        self.path.clear();
        self.path.extend_from_slice(&path[..end]);
    }
}

/// The folder that a path is in and its name there.
pub(in crate::release) fn split(path: &[u8]) -> (&[u8], &OsStr) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], OsStr::from_bytes(&path[at + 1..])),
        None => (&[], OsStr::from_bytes(path)),
    }
}

fn is_or_is_below(path: &[u8], folder: &[u8]) -> bool {
    folder.is_empty()
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}
