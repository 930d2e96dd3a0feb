//! How a step can end.

use crate::domain::DeploymentId;
use crate::release::Lender;
use std::fmt::Display;
use std::sync::Arc;

/// A step that did its part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It did something; the words say what, and may be empty.
    Ran(String),
    /// It had nothing to do, and why.
    Skipped(String),
}

impl Done {
    /// Done, with nothing worth saying.
    pub fn quietly() -> Done {
        Done::Ran(String::new())
    }
}

/// A step that ends the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It failed.
    Failed(Trouble),
    /// Somebody cancelled the deployment, and who or why.
    Cancelled(String),
}

impl Stop {
    /// What ended it, in one sentence.
    pub fn cause(self) -> String {
        match self {
            Stop::Failed(trouble) => trouble.cause,
            Stop::Cancelled(why) => why,
        }
    }
}

/// What went wrong in a step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, in one sentence without a full stop.
    pub cause: String,
    /// The last lines of what a command or the service printed.
    pub tail: Vec<String>,
    /// What to do next; absent: look at the log.
    pub next: Option<String>,
}

impl Trouble {
    /// Trouble without output.
    pub fn new(cause: impl Display) -> Trouble {
        Trouble {
            cause: cause.to_string(),
            ..Trouble::default()
        }
    }

    /// With what to do next.
    pub fn next(self, next: impl Into<String>) -> Trouble {
        Trouble {
            next: Some(next.into()),
            ..self
        }
    }

    /// With the last lines of an output.
    pub fn tail(self, tail: Vec<String>) -> Trouble {
        Trouble { tail, ..self }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Stop {
        Stop::Failed(trouble)
    }
}

/// Every typed error of a noun is trouble when it happens in a step.
macro_rules! trouble_from {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Stop {
            fn from(error: $error) -> Stop {
                Stop::Failed(Trouble::new(error))
            }
        })+
    };
}

trouble_from!(
    crate::journal::JournalError,
    crate::store::StoreError,
    crate::system::files::FileError,
    crate::system::git::GitError,
    crate::release::SlotError,
    crate::release::CheckoutError,
    crate::release::LinkError,
    crate::release::BackupError,
    crate::release::VariablesError,
    crate::traffic::TrafficError,
    crate::service::ServiceError,
    crate::service::JobError,
    crate::config::ConfigError,
);

/// Whether a step has something to do, and why; asked by the step itself and by the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// It runs, because of this.
    Run(String),
    /// It is skipped, because of this.
    Skip(String),
    /// It is skipped, because what the installation of this deployment made is sealed and put in its place.
    PutBack(DeploymentId, String),
    /// It is skipped, because this sealed release has its result to copy.
    Lend(Arc<Lender>, String),
}
