//! What scenarios are told with: a sandbox of one's own, real programs as children, and waiting without sleeping.
//!
//! - [`Sandbox`]: a temporary folder, ports that nobody else has, and no process left behind.
//! - [`wait_until`]: the only way to wait for something that announces itself by no event.
//! - [`Daemon`]: a running program, its output, and its end.
//! - [`Git`], [`Sshd`], [`Nginx`]: the real programs, blind to this machine's own configuration.
//! - [`Forge`]: git over HTTP, as a forge serves it.
//! - [`Delivery`]: a webhook as each forge sends it.
//! - [`Disk`]: a file system of its own below a server, whose power can be cut.
//! - [`App`]: a small web app as a git repository, which can be told to misbehave.
//! - [`Load`]: clients that never stop asking and that count every answer and every loss.
//! - [`Teal`]: a whole server in the sandbox: configuration, `teal serve`, proxy and services, and its commands.
//! - [`Browser`]: a real Chromium.
//! - [`Description`]: the API's description, which answers are held against.
//! - [`story`]: what a pusher was told, for snapshots.
//! - [`seed`]: a printed number that random scenarios start from.
//! - [`redact`]: text without what differs from run to run.

mod app;
mod browser;
mod daemon;
mod delivery;
mod disk;
mod forge;
mod git;
mod http;
mod load;
mod nginx;
mod ports;
mod redact;
mod request;
mod sandbox;
mod schema;
mod seed;
mod sshd;
mod story;
mod teal;
mod wait;

pub use app::App;
pub use browser::Browser;
pub use daemon::{Daemon, program};
pub use delivery::{Delivery, SECRET, Sender};
pub use disk::Disk;
pub use forge::Forge;
pub use git::{Git, Outcome};
pub use http::{Answer, Connection, get};
pub use load::{Load, Plan};
pub use nginx::Nginx;
pub use redact::redact;
pub use request::Request;
pub use sandbox::Sandbox;
pub use schema::Description;
pub use seed::seed;
pub use sshd::{Sshd, Visitor};
pub use story::story;
pub use teal::{Teal, TealPlan};
pub use wait::{LONG, wait_until};
