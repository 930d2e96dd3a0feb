//! How the files of a release are walked: from folder to folder, on a few threads.

mod cursor;
mod threads;

pub(super) use cursor::{Cursor, split};
pub(super) use threads::{both, share_out};

use std::path::Path;

/// A path from a tree as it may be shown.
pub(super) fn shown(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    let mut shown: String = text
        .chars()
        .take(120)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(120).is_some() {
        shown.push('…');
    }
    shown
}

/// The bytes of a path that are kept as they are, whatever their encoding.
pub(super) fn bytes(path: &Path) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())
}
