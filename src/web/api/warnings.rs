//! What does not fit together in an environment, in words.

use crate::config::Environment;
use crate::domain::Color;
use crate::pipeline::{self, Tools, WEB};
use crate::service::{Service, State};
use crate::store::environments::Standing;
use crate::system::ports;

/// The services of one color by their names in the recipe: `web.0`.
pub(super) type Processes = Vec<(String, Service)>;

/// All of it; `serving` are the processes of the color that serves.
pub(super) fn warnings(
    tools: &Tools,
    env: &Environment,
    standing: &Standing,
    serving: &Processes,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let slots = tools.slots(env);
    match slots.active() {
        Ok(link) if link == standing.active => {}
        Ok(link) => warnings.push(format!(
            "{}/current was moved by hand: it points to {}, but {}; the next deployment puts it right",
            env.root.display(),
            link.map_or("nothing", Color::as_str),
            pipeline::serving(standing),
        )),
        Err(error) => warnings.push(error.to_string()),
    }
    if let Some(active) = standing.active {
        let down = serving.iter().filter(|(_, service)| !runs(service));
        warnings.extend(down.map(|(name, service)| is_down(env, active, name, service)));
    }
    warnings
}

/// Whether its main process is there; the supervisor of one that ended starts it again after a while.
pub(super) fn runs(service: &Service) -> bool {
    service.status().state != State::Waiting
}

fn is_down(env: &Environment, color: Color, name: &str, service: &Service) -> String {
    let status = service.status();
    let how = match status.last.last() {
        Some(ended) => ended.exit.to_string(),
        None => "does not run".to_owned(),
    };
    let times = match status.exits {
        0 | 1 => String::new(),
        more => format!(" ({more} times so far)"),
    };
    let stranger = stranger(env.ports.of(color), name).unwrap_or_default();
    format!(
        "{color} serves, but its {name} {how}{times}; it is started again by and by, and teal logs {} shows what it says{stranger}",
        env.id
    )
}

/// Whoever has the port of a web process that does not run answers in its name.
fn stranger(first: u16, name: &str) -> Option<String> {
    let number: u16 = name.strip_prefix(WEB)?.strip_prefix('.')?.parse().ok()?;
    let port = first.checked_add(number)?;
    let owner = ports::owners(port).into_iter().next()?;
    Some(format!(
        "; port {port} is taken by {owner}, which Teal did not start and whose answers visitors get: stop it"
    ))
}
