use crate::access::AccessError;
use crate::domain::State;
use crate::journal::JournalError;
use crate::worker::WorkerError;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// Why a request was not answered as asked: one sentence, and what to do where that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status; 422 for what was typed wrong, 403 and 409 for what is not allowed now.
    #[serde(skip)]
    pub status: u16,
    /// What is wrong.
    pub error: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}

impl Refusal {
    /// A refusal without advice.
    pub fn new(status: StatusCode, error: impl std::fmt::Display) -> Refusal {
        Refusal {
            status: status.as_u16(),
            error: error.to_string(),
            next: None,
        }
    }

    /// What was asked for cannot be meant.
    pub fn mistake(error: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    /// Something of the server's own failed.
    pub fn internal(error: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    /// With what to do about it.
    pub fn next(self, next: impl Into<String>) -> Refusal {
        Refusal {
            next: Some(next.into()),
            ..self
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self)).into_response()
    }
}

impl From<AccessError> for Refusal {
    fn from(error: AccessError) -> Self {
        match error.why() {
            Some(why) => Refusal::new(StatusCode::FORBIDDEN, &error).next(why),
            None => Refusal::internal(error),
        }
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Unknown(_) => Refusal::new(StatusCode::NOT_FOUND, error)
                .next("teal history lists the deployments"),
            JournalError::Illegal { .. } => Refusal::new(StatusCode::CONFLICT, error),
            JournalError::Store(_) => Refusal::internal(error),
        }
    }
}

impl From<WorkerError> for Refusal {
    fn from(error: WorkerError) -> Self {
        let next = match &error {
            WorkerError::Over(_, State::Live) => {
                "teal rollback <env> goes back to the release before"
            }
            WorkerError::Over(..) => "teal status shows what runs and waits",
            WorkerError::NothingServes(_) => "push, or type teal deploy <env>",
            WorkerError::NoWayBack(_) => {
                "teal history lists the deployments; teal deploy <env> --ref <commit> brings an older one back"
            }
            WorkerError::Unfinished(_) => "type the command again: it goes on where it stopped",
            WorkerError::Journal(_) => "",
        };
        match error {
            WorkerError::Journal(error) => error.into(),
            other => Refusal::new(StatusCode::CONFLICT, other).next(next),
        }
    }
}
