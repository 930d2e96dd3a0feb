//! The nouns on disk: the two slots of an environment, what is checked out in them, what they share, and the sealed
//! copies of releases that served. Everything here blocks; callers run it on a thread made for that.
//!
//! Nothing in this module follows a symbolic link below a slot: what a repository or a build puts there is data.

mod backup;
mod checkout;
mod links;
mod outputs;
mod ownership;
mod slot;
mod tree;
mod variables;
mod walk;

pub use backup::{
    About, Backup, BackupError, Difference, Installed, Lender, Manifest, PutBack, Sealing, Shelf,
    Verified, begin, lend, look_at_installed, put_back_installed, restore, seal, verify,
};
pub use checkout::{CheckedOut, CheckoutError, begin_empty, checkout, forget};
pub use links::{LinkError, Linked, link_shared};
pub use outputs::clear_outputs;
pub use ownership::{give_shared, give_slot};
pub use slot::{Destroyed, SlotError, Slots};
pub use variables::{Variables, VariablesError, Version};
