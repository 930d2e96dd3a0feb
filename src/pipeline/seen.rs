//! What of the slot was looked at, file by file, while it could not change: a deployment need not look at it twice.

use crate::release::PutBack;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The folders that were put back or lent since any step did something. Nothing of the app has run since, and what ran in
/// the slot before was seen to be gone when it was taken.
#[derive(Default)]
pub(super) struct Seen(Mutex<Vec<PathBuf>>);

impl Seen {
    /// Adds what was looked at to put it back; says how many files had to be copied for it.
    pub fn add(&self, put: PutBack) -> usize {
        self.folders().extend(put.folders);
        put.copied
    }

    /// The folders, relative to the slot.
    pub fn all(&self) -> Vec<PathBuf> {
        self.folders().clone()
    }

    /// A step did something, so whatever was looked at may be different now.
    pub fn forget(&self) {
        self.folders().clear();
    }

    fn folders(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
