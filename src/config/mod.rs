//! What was typed → what is meant. `teal.toml` becomes a [`Server`], `.teal.toml` and the repository's own files become
//! a [`Recipe`]. The typed forms never leave this module; what is meant is checked, complete and has no optional corners.
//!
//! In reading order: `server`, `proxy` and `recipe` are what is meant; `document` reads TOML strictly, `field` the values in it, and
//! `error` words what is wrong with them; `*_keys` and `*_values` are what each of the two files may say, and `typed_*` read
//! one table each; `placement` settles what environments may not share; `detect` reads the repository's own files, and
//! `resolve` puts a recipe together.

mod around;
mod defaults;
mod detect;
mod document;
mod draft;
mod error;
mod explain;
mod field;
mod forge_address;
mod forge_api;
mod load;
mod nothing_to_run;
mod notify;
mod placement;
mod proxy;
mod recipe;
mod recipe_keys;
mod recipe_values;
mod refs;
mod remote;
mod repo_view;
mod resolve;
mod runtime;
mod secret;
mod server;
mod server_keys;
mod server_values;
mod triggers;
mod typed_app;
mod typed_environment;
mod typed_forge_api;
mod typed_notify;
mod typed_people;
mod typed_proxy;
mod typed_recipe;
mod typed_run;
mod typed_server;
mod typed_triggers;
mod values;

#[cfg(test)]
mod tests;

pub use error::{ConfigError, Mistake};
pub use forge_api::{ForgeApi, ForgeLogin};
pub use nothing_to_run::NothingToRun;
pub use notify::{Heard, Hears, Mail, MailTls, Notify, Place};
pub use proxy::{Certificate, Embedded, Nginx, Proxy, Tls};
pub use recipe::{Health, OnSwitch, Origin, Process, Recipe, Steps, Timeouts};
pub use repo_view::{Entry, RepoView};
pub use secret::Secret;
pub use server::{
    App, Approval, Contact, Credentials, Environment, EnvironmentLimits, Forge, LogFormat, OnPush,
    Ports, RefRule, Server, Traces,
};
pub use triggers::{AfterCi, Triggers};
