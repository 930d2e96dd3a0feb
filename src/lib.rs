//! Teal turns `git push` (or a merged pull request) into a running release on your own server, with nothing dropped on
//! the way and a way back that is always open.
//!
//! What happens to a push, and where it happens:
//!
//! ```text
//! intake → queue → worker → pipeline → release, service, traffic
//!                              │
//!                           journal → store, report
//! ```
//!
//! The modules stand in reading order, from the ground up. Imports point toward the ground only.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

// Ground: words and configuration, no side effects.
pub mod config;
pub mod domain;
pub mod intake;

// Tools: the only callers of the operating system, and the memory.
pub mod store;
pub mod system;

// Nouns: what a deployment handles.
pub mod release;
// Nouns.
pub mod service;
// Nouns: what a deployment is made of.
pub mod traffic;

// Verbs.
pub mod journal;

// Doors.
pub mod proxy;
