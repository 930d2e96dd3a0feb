//! The words of Teal as types: what a push, a deployment, a color and a route are, and which moves are legal.
//! No I/O happens here, and nothing here knows a forge, a file format or a process.

mod color;
mod deployment;
mod event;
mod hours;
mod name;
mod push;
mod route;

pub use color::Color;
pub use deployment::{Deployment, DeploymentId, Failure, Kind, Mode, Receipt, State, Step};
pub use event::{Event, Record, Spent, StepEnd};
pub use hours::{DeployHours, HoursError};
pub use name::{AppName, CommitId, EnvId, EnvName, NameError};
pub use push::{Origin, Push, PushOptions};
pub use route::{Redirect, Route, RouteTable, Upstreams};
