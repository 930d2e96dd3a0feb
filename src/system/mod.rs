//! The only callers of the operating system: files, processes, git, sockets, the clock. Nothing here knows what a
//! deployment is.

pub mod cgroup;
pub mod clock;
pub mod copy;
pub mod fault;
pub mod files;
pub mod folder;
pub mod git;
pub mod handover;
pub mod https;
pub mod limits;
pub mod lock;
pub mod notify;
pub mod pack;
pub mod ports;
pub mod privilege;
pub mod process;
pub mod programs;
pub mod random;
pub mod seats;
pub mod socket;
pub mod sparse;
pub mod stamps;
pub mod standing;
pub mod users;
pub mod watched;
