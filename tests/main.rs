//! Scenarios: each module is a story told with the real things (git, sshd, nginx, processes, sockets) over the harness.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

#[allow(
    dead_code,
    unused_imports,
    reason = "the harness offers more than any one scenario needs"
)]
mod harness;

mod approval;
mod apps;
mod backups;
mod bad_services;
mod cli;
mod clock;
mod crowds;
mod dashboard;
mod database;
mod description;
mod destroy;
mod doctor;
mod freeze;
mod full_disk;
mod gate;
mod half_open;
mod health;
mod histories;
mod hook;
mod hostile_repos;
mod hostile_wire;
mod house;
mod jobs;
mod keys;
mod kill_anywhere;
mod limits;
mod lost_pushes;
mod lost_sockets;
mod machine;
mod manual;
mod mapping;
mod metrics;
mod nginx;
mod people;
mod power;
mod processes;
mod programs;
mod promote;
mod proxy;
mod push;
mod real_payloads;
mod run_as;
mod secrets;
mod ssh;
mod static_site;
mod strangers;
mod supervisor;
mod survival;
mod the_harness;
mod told;
mod too_large;
mod top;
mod turns;
mod webhooks;
mod why;
