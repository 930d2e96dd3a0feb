//! The doors: wire bytes → a verified push. A webhook's delivery and what git's hooks hand over are checked here and leave
//! as plain words of the domain; nothing of a forge's own format goes further in.
//!
//! [`body`] reads a request within its limits, [`webhook`] says what it means, with one file per forge behind it.
//! [`hook_protocol`] is what `teal-hook` and the server say to each other, [`gates`] is what the hook knows while the
//! server is down, and [`spool`] is where it keeps what it could not say.

pub mod body;
pub mod gates;
pub mod hook_protocol;
pub mod spool;
pub mod webhook;

mod answers;
mod budget;
mod envelope;
mod gitea;
mod github;
mod github_deployments;
mod gitlab;
mod hooks;
#[cfg(test)]
mod noise;
mod ordered;
mod permits;
mod planning;
mod post_receive;
mod proc_receive;
mod receive;
mod received;
mod ref_name;
mod refusal;
mod refused;
mod said;
#[cfg(test)]
mod samples;
mod shown;
mod slack;
#[cfg(test)]
mod tests;
mod verdict;
mod watching;

pub use hooks::hooks;
pub use receive::webhooks;
pub use ref_name::{RefNameError, check as check_ref_name};
pub use refusal::Refusal;
