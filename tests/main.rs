//! Scenarios.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod health;
mod hook;
mod jobs;
mod real_payloads;
mod static_site;
mod supervisor;
