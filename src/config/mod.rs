//! What was typed → what is meant. `teal.toml` becomes a [`Server`], `.teal.toml` and the repository's own files become
//! a [`Recipe`]. The typed forms never leave this module; what is meant is checked, complete and has no optional corners.

mod recipe;
mod secret;
mod server;

pub use recipe::{Health, OnSwitch, Origin, Process, Recipe, Steps, Timeouts};
pub use secret::Secret;
pub use server::{
    App, Credentials, Environment, Forge, Nginx, OnPush, Ports, Proxy, RefRule, Server,
};
