//! Trees of files that are sealed once and shared from then on.
//!
//! The store of an environment (`.backups/.sealed/`) has a folder for each sealing, its *holder*, with the files that were
//! copied for it. Nothing in the store is ever written to again, and nothing in it is shared with a slot, except by
//! reflinks, which the file system itself keeps apart. A folder of a release in which nothing changed, however deep, is not
//! made again: the new holder has a link to the folder that holds it. In a folder where something changed, the files that
//! did not are second names of the sealed ones. So a sealing costs what changed, in time and on the disk, and a holder looks
//! whole to whoever follows its links.
//!
//! Which files changed is told by a *ledger* for each slot: what the system said about each file when it was last known to
//! equal something sealed. Every file is looked at again; one whose inode and change time are not what they were is
//! compared by content.

mod bring;
mod draft;
mod fill;
mod graft;
mod hash;
mod ledger;
mod listing;
mod look;
mod node;
mod store;
mod text;

pub(super) use bring::bring;
pub(super) use draft::Draft;
pub(super) use fill::{Filling, is_way};
pub(super) use hash::{hash_of, hash_of_text};
pub(super) use listing::{Listing, distinct_bytes};
#[cfg(test)]
pub(super) use look::all_settled;
pub(super) use node::Kind;
pub(super) use store::Store;
