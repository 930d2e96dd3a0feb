//! What can only be settled among all environments: ports, folders and host names belong to one of them each.

use super::error::ConfigError;
use super::typed_app::TypedApp;
use super::typed_environment::TypedEnvironment;
use super::{Ports, Server, values};
use crate::domain::Color;
use std::collections::BTreeMap;
use std::path::Path;

/// The system's own folders. A release there would be removed with them in mind by nobody.
const SYSTEM: &[&str] = &[
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];

/// Gives ports to those that name none, and refuses what two would share. `server` has no apps yet.
pub(super) fn settle(apps: &mut [TypedApp<'_>], server: &Server) -> Result<(), ConfigError> {
    let mut environments: Vec<&mut TypedEnvironment<'_>> = apps
        .iter_mut()
        .flat_map(|app| &mut app.environments)
        .collect();
    let mut taken = typed_ports(&environments, server)?;
    for env in &mut environments {
        if env.ports_at.is_none() {
            env.meant.ports = free_pair(env, &mut taken)?;
        }
    }
    roots(&environments, server)?;
    names(&environments)
}

/// Every port that somebody has, with its owner.
fn typed_ports(
    environments: &[&mut TypedEnvironment<'_>],
    server: &Server,
) -> Result<BTreeMap<u16, String>, ConfigError> {
    let mut taken = BTreeMap::from([(server.listen.port(), "`listen`".to_owned())]);
    for address in server.proxy.addresses() {
        taken.insert(address.port(), "the proxy".to_owned());
    }
    for env in environments {
        let Some(field) = &env.ports_at else { continue };
        for color in Color::BOTH {
            let (port, id) = (env.meant.ports.of(color), &env.meant.id);
            if let Some(owner) = taken.insert(port, format!("{color} of {id}")) {
                let message = format!("port {port} for {color} belongs to {owner} already");
                return Err(field.error(message));
            }
        }
    }
    Ok(taken)
}

/// The next pair from 3001 on that nobody has, in the order of the file.
fn free_pair(
    env: &TypedEnvironment<'_>,
    taken: &mut BTreeMap<u16, String>,
) -> Result<Ports, ConfigError> {
    let free = (3001..u16::MAX)
        .step_by(2)
        .find(|blue| !taken.contains_key(blue) && !taken.contains_key(&(blue + 1)));
    let Some(blue) = free else {
        return Err(env.at.key_error("no two ports above 3000 are left", None));
    };
    let ports = Ports {
        blue,
        green: blue + 1,
    };
    for color in Color::BOTH {
        taken.insert(ports.of(color), format!("{color} of {}", env.meant.id));
    }
    Ok(ports)
}

fn roots(environments: &[&mut TypedEnvironment<'_>], server: &Server) -> Result<(), ConfigError> {
    for (nth, env) in environments.iter().enumerate() {
        let root = &env.meant.root;
        if SYSTEM.iter().any(|system| root == Path::new(system)) {
            return Err(clash(env, "is a folder of the system".to_owned()));
        }
        if values::nested(root, &server.state_dir) {
            let state = server.state_dir.display();
            return Err(clash(
                env,
                format!("and `state_dir` ({state}) may not contain each other"),
            ));
        }
        if let Some(other) = environments[..nth]
            .iter()
            .find(|other| values::nested(root, &other.meant.root))
        {
            let (id, theirs) = (&other.meant.id, other.meant.root.display());
            let why = format!("and the root of {id} ({theirs}) may not contain each other");
            return Err(clash(env, why));
        }
    }
    Ok(())
}

fn clash(env: &TypedEnvironment<'_>, why: String) -> ConfigError {
    const HELP: &str = "give it a `root` of its own";
    let root = env.meant.root.display();
    let message = format!("the root of {}, {root}, {why}", env.meant.id);
    match &env.root_at {
        Some(field) => field.error_help(message, HELP),
        None => env.at.key_error(message, Some(HELP.to_owned())),
    }
}

fn names(environments: &[&mut TypedEnvironment<'_>]) -> Result<(), ConfigError> {
    let mut owners = BTreeMap::new();
    for env in environments {
        for (name, field) in &env.names {
            if let Some(owner) = owners.insert(name, &env.meant.id) {
                return Err(field.error(format!("{name} belongs to {owner} already")));
            }
        }
    }
    Ok(())
}
