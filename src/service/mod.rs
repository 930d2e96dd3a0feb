//! One running service, and one command that runs to its end: how they are started, watched, probed and stopped so that
//! nothing of them is ever left behind.
//!
//! [`Services`] starts each service under a small supervisor of its own (`teal supervise`), which lives on when the
//! server does not, and finds it again. [`run_job`] runs a command under the same supervisor, which here ends with the
//! server. [`wait_ready`] says when a service is ready, or in words why it is not. [`static_site`] is the service of an
//! app that is only files.
//!
//! The supervisor itself, in [`supervisor`], knows nothing of this module's clients but the words in `wire`.

mod exit;
mod health;
mod job;
mod last_lines;
mod place;
mod running;
mod services;
mod starting;
pub mod static_site;
pub mod supervisor;
mod talk;
mod wire;

pub use crate::system::ports;
pub use exit::Exit;
pub use health::{Attempt, Cause, NotReady, Probe, Ready, probe_once, wait_ready};
pub use job::{Job, JobEnd, JobError, JobExit, run_job};
pub use last_lines::last_lines;
pub use running::Service;
pub use services::{ServiceError, Services};
pub use wire::{Ended, How, Spec, State, Status, Stopped};
