use crate::config::{Heard, Hears, Place, Server};
use crate::domain::{AppName, Deployment, Moment};

/// Who is told of what: asked for each event, in its transaction, so that nothing is forgotten and nothing is told that
/// did not happen.
#[derive(Debug, Default)]
pub struct Audience {
    ears: Vec<Ear>,
}

#[derive(Debug)]
struct Ear {
    target: String,
    hears: What,
}

#[derive(Debug)]
enum What {
    /// A forge hears every state of its app's deployments.
    States(AppName),
    /// A pull request's comment says that it began and how it ended.
    Outline(AppName),
    /// What was chosen; with `steps`, a message is kept up to date while the deployment runs.
    Chosen { hears: Hears, steps: bool },
}

impl Audience {
    /// Everybody whom the configuration names.
    pub fn of_server(server: &Server) -> Audience {
        let mut ears = Vec::new();
        for app in server.apps.values() {
            let Some(api) = &app.api else { continue };
            let mut hear = |told: bool, what: &str, hears: What| {
                if told {
                    let target = format!("{}/{what}", app.name);
                    ears.push(Ear { target, hears });
                }
            };
            hear(api.statuses, STATUSES, What::States(app.name.clone()));
            hear(api.deployments, DEPLOYMENTS, What::States(app.name.clone()));
            hear(api.comments, COMMENTS, What::Outline(app.name.clone()));
        }
        for notify in &server.notify {
            let steps = matches!(notify.place, Place::SlackBot { .. } | Place::Discord(_));
            let hears = notify.hears.clone();
            ears.push(Ear {
                target: notify.name.clone(),
                hears: What::Chosen { hears, steps },
            });
        }
        Audience { ears }
    }

    /// Whether nobody is told anything.
    pub fn is_empty(&self) -> bool {
        self.ears.is_empty()
    }

    /// The targets, in the order of the configuration.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        self.ears.iter().map(|ear| ear.target.as_str())
    }

    /// The targets that hear of this turn.
    pub fn of<'a>(
        &'a self,
        deployment: &'a Deployment,
        moment: Moment,
    ) -> impl Iterator<Item = &'a str> {
        let hears = move |ear: &&Ear| ear.hears.takes(deployment, moment);
        self.ears
            .iter()
            .filter(hears)
            .map(|ear| ear.target.as_str())
    }
}

/// The part of a forge's target name that tells commit statuses.
pub const STATUSES: &str = "statuses";
/// The same for deployments and environments.
pub const DEPLOYMENTS: &str = "deployments";
/// The same for comments on pull requests.
pub const COMMENTS: &str = "comments";

impl What {
    fn takes(&self, deployment: &Deployment, moment: Moment) -> bool {
        match self {
            What::States(app) => *app == deployment.env.app && moment != Moment::Step,
            What::Outline(app) => {
                *app == deployment.env.app && (moment == Moment::Started || moment.is_end())
            }
            What::Chosen { hears, steps } => {
                hears.of(&deployment.env) && chosen(hears, *steps, deployment, moment)
            }
        }
    }
}

fn chosen(hears: &Hears, steps: bool, deployment: &Deployment, moment: Moment) -> bool {
    // A message that follows a deployment follows it to its end.
    let follows = steps && hears.hears(Heard::Started);
    let asked = deployment.approval.is_some() && hears.hears(Heard::Waiting);
    match moment {
        Moment::Queued => false,
        Moment::Waiting => hears.hears(Heard::Waiting),
        Moment::Started => hears.hears(Heard::Started) || asked,
        Moment::Step => follows,
        // Whether it is a recovery is known when it is told.
        Moment::Live => follows || hears.hears(Heard::Live) || hears.hears(Heard::Recovered),
        Moment::Failed => follows || hears.hears(Heard::Failed),
        Moment::RolledBack => follows || hears.hears(Heard::RolledBack),
        // Who heard that it began, or was asked for a yes, hears that nothing came of it.
        Moment::Superseded | Moment::Cancelled | Moment::Interrupted => {
            asked || hears.hears(Heard::Started) && deployment.started_ms.is_some()
        }
    }
}
