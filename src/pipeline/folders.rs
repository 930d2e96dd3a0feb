//! Folders of an environment that cannot be made.

use super::outcome::{Stop, Trouble};
use crate::release::SlotError;
use crate::system::users;
use std::io::ErrorKind;
use std::path::Path;

/// A folder that the server may not make is for root to make.
pub(super) fn closed(error: SlotError, root: &Path) -> Stop {
    let is_closed = matches!(&error, SlotError::File(file) if file.source.kind() == ErrorKind::PermissionDenied);
    let trouble = Trouble::new(error);
    if !is_closed {
        return trouble.into();
    }
    let (user, root) = (users::own().name, root.display());
    let fix = format!("sudo install -d -o {user} -g {user} {root}, and push again");
    trouble.next(fix).into()
}
