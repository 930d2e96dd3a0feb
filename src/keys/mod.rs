//! The ssh keys that may push here and do nothing else. Each is a line of the server's user's `authorized_keys` with a
//! forced command: `teal-hook`, which takes only a push, to the app that the key is for, and tells the server whose key
//! it is and what it may reach. All other lines of the file are somebody else's and stay as they are.

mod entry;
mod error;
mod file;
mod public;
mod reach;

pub use entry::Entry;
pub use error::KeyError;
pub use file::AuthorizedKeys;
pub use public::PublicKey;
pub use reach::Reach;

/// What `teal-hook` is called by where a login shell only starts programs of its own folder (`git-shell`).
pub const SHELL_COMMAND: &str = "teal-push";

/// The word behind `teal-hook` that begins a forced command.
pub const WORD: &str = "key";

/// The variable that tells git's hooks whose key it is.
pub const USER: &str = "TEAL_USER";

/// The variable that tells git's hooks which environments the key may reach; absent: all of the app.
pub const ONLY: &str = "TEAL_ONLY";
