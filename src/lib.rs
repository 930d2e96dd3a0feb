//! Teal turns `git push` (or a merged pull request) into a running release on your own server.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod config;
pub mod domain;

pub mod system;
