//! The only callers of the operating system: files, processes, git, sockets, the clock. Nothing here knows what a
//! deployment is.

pub mod clock;
pub mod files;
pub mod handover;
pub mod socket;
