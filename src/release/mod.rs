//! The nouns on disk: the two slots of an environment, what is checked out in them, what they share, and the sealed
//! copies of releases that served. Everything here blocks; callers run it on a thread made for that.
//!
//! Nothing in this module follows a symbolic link below a slot: what a repository or a build puts there is data.

mod backup;
mod checkout;
mod links;
mod slot;
mod variables;

pub use backup::{
    About, Backup, BackupError, Difference, Manifest, Shelf, Verified, can_lend, hash_files, lend,
    restore, seal, verify,
};
pub use checkout::{CheckedOut, CheckoutError, checkout, forget};
pub use links::{LinkError, Linked, link_shared};
pub use slot::{SlotError, Slots};
pub use variables::{Variables, VariablesError, Version};
