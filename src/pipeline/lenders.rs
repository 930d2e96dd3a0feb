//! Who can lend which result, as far as a deployment has looked.

use crate::domain::{EnvId, Step};
use crate::release::Lender;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who lends what: the environment and its sealed release; nothing where nobody can.
pub(super) type Found = Option<(EnvId, Arc<Lender>)>;

/// What was looked for already, by step and key. To read the lists of sealed releases takes longer than most steps, and
/// several of them ask.
#[derive(Default)]
pub(super) struct Lenders(Mutex<HashMap<(Step, String), Found>>);

impl Lenders {
    /// What was found, if it was looked for.
    pub fn known(&self, step: Step, key: &str) -> Option<Found> {
        self.all().get(&(step, key.to_owned())).cloned()
    }

    /// Remembers what was found.
    pub fn remember(&self, step: Step, key: &str, found: &Found) {
        self.all().insert((step, key.to_owned()), found.clone());
    }

    fn all(&self) -> MutexGuard<'_, HashMap<(Step, String), Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
