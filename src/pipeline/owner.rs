//! With `run_as`, what Teal writes into a slot is given to the user that the release runs as, before that user's first
//! command: they can write in it, and nobody else can.

use super::Run;
use super::outcome::{Stop, Trouble};
use super::tools::blocking;
use crate::release;
use crate::system::files;
use crate::system::folder::Folder;
use crate::system::users;

/// Gives the slot that a deployment fills, and what it shares, to `run_as`; nothing to do without one.
pub(super) async fn hand_over(run: &Run<'_>) -> Result<(), Stop> {
    let Some(name) = &run.env.run_as else {
        return Ok(());
    };
    let Some((user, to)) = users::named(name) else {
        return Err(Trouble::new(format!("this machine has no user `{name}`"))
            .next(format!(
                "make it (useradd --system --create-home {name}), or correct `run_as` of {}",
                run.env.id
            ))
            .into());
    };
    if !users::is_root() {
        // Then it is the server's own user, whose everything is already.
        return Ok(());
    }
    let (slot, slots) = (run.slot(), run.slots.clone());
    let links = run.recipe()?.shared.clone();
    blocking(move || {
        release::give_slot(&slot, to)?;
        release::give_shared(&slots.shared(), &links, to)?;
        if !std::path::Path::new(&user.home).is_dir() {
            files::create_dir(&slots.home(), 0o700)?;
            Folder::open(&slots.home())?.give_itself(to)?;
        }
        Ok(())
    })
    .await
}
