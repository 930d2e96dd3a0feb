//! The route, moved: what makes a release the one that visitors reach.

pub mod nginx;

pub use nginx::{Nginx, NginxError};
