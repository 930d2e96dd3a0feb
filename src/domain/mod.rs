//! The words of Teal as types: what a push, a deployment, a color and a route are, and which moves are legal.
//! No I/O happens here, and nothing here knows a forge, a file format or a process.

mod account;
mod act;
mod approval;
mod ci;
mod color;
mod deployment;
mod event;
mod hours;
mod moment;
mod name;
mod people;
mod push;
mod role;
mod route;

pub use account::{Account, Actor};
pub use act::{Act, Audited, Verdict};
pub use approval::{Answer, Asked};
pub use ci::{Ci, Found};
pub use color::Color;
pub use deployment::{Deployment, DeploymentId, Failure, Kind, Mode, Receipt, State, Step};
pub use event::{Event, Record, Spent, StepEnd};
pub use hours::{DeployHours, HoursError};
pub use moment::Moment;
pub use name::{AppName, CommitId, EnvId, EnvName, GroupName, KeyName, NameError, PersonName};
pub use people::{Grant, Grants, People, Person};
pub use push::{Origin, Push, PushOptions};
pub use role::{Right, Role, role_in};
pub use route::{Redirect, Route, RouteTable, Upstreams};
