//! Scenarios.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod hook;
mod real_payloads;
