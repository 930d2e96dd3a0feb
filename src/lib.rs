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

#[cfg(test)]
mod noise;

// Ground: the words, and the configuration as it is meant. No side effects.
pub mod domain;

pub mod config;

// Tools: the only callers of the operating system, and the memory.
pub mod system;

pub mod store;

// Nouns: what deployments are made of.
pub mod release;
pub mod service;
pub mod traffic;

pub mod report;

pub mod ci;

// Verbs: what happens to a push.
pub mod journal;

pub mod access;

pub mod holds;

pub mod approvals;

pub mod queue;

pub mod pipeline;

pub mod changes;

pub mod caretaker;
pub mod cutover;
pub mod gatekeeper;
pub mod lookout;
pub mod messenger;
pub mod reconcile;
pub mod recovery;
pub mod teller;
pub mod tracer;
pub mod worker;

pub mod landing;

// Doors: how people, forges and git come in.
pub mod web;

pub mod intake;

pub mod proxy;

pub mod setup;

pub mod keys;

pub mod server;

pub mod doctor;

pub mod cli;
