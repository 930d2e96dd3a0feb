//! What can be wrong around a server, looked at from outside and without changing anything: each module is one area, and
//! says what it saw and what to do about it. What only the server's own secrets can show, the server looks at itself.

mod certificates;
mod disk;
mod git;
mod kernel;
mod names;
mod nginx;
mod ports;
mod roots;
mod secrets;
mod services;
mod ssh;
mod time;
mod unit;
mod versions;

use crate::config::{Proxy, Server};
use crate::web::types::{Finding, Status};
use std::path::Path;

/// Everything that needs no configuration: the machine.
pub fn machine(state_dir: Option<&Path>, status: Option<&Status>) -> Vec<Finding> {
    let mut found = versions::look(status);
    found.extend(kernel::look(state_dir, status));
    found.extend(unit::look());
    found.extend(time::look(status));
    found
}

/// Everything that the configuration speaks of. `status` is what the server says of itself, if it runs.
pub async fn setup(server: &Server, status: Option<&Status>) -> Vec<Finding> {
    let mut found = secrets::look(server);
    found.extend(roots::look(server));
    found.extend(ports::look(server, status));
    if let Some(status) = status {
        found.extend(services::look(status));
    }
    if let Proxy::Nginx(settings) = &server.proxy {
        found.push(nginx::look(settings, &server.state_dir).await);
    }
    found.extend(git::look(server));
    found.extend(ssh::look(server));
    found.extend(disk::look(server));
    found.extend(certificates::look(server).await);
    found.extend(names::look(server).await);
    found
}
