//! What all pages share: their frame, their headers, moments, and what is shown when there is no page.

use super::assets;
use crate::domain::State as Stands;
use crate::journal::JournalError;
use crate::report::ago;
use crate::store::StoreError;
use crate::system::clock;
use crate::web::Refusal;
use crate::web::visitor::Visitor;
use crate::worker::WorkerError;
use askama::Template;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};

/// Nothing but what this server serves; nothing inline; no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The frame of a page.
pub(super) struct Shell {
    /// Which entry of the navigation is here.
    pub here: &'static str,
    /// Who is signed in; empty: nobody.
    pub viewer: String,
    /// What forms bring along.
    pub token: String,
    /// The server's version.
    pub version: &'static str,
    /// The part of the assets' addresses that changes with them.
    pub assets: &'static str,
    /// When the page was made.
    pub now_ms: i64,
    /// The same, to be read.
    pub now: String,
}

impl Shell {
    /// The frame for this visitor.
    pub fn of(visitor: &Visitor, here: &'static str) -> Shell {
        let now_ms = clock::now_ms();
        Shell {
            here,
            viewer: visitor.name().to_owned(),
            token: visitor.form_token(),
            version: env!("CARGO_PKG_VERSION"),
            assets: assets::VERSION.as_str(),
            now_ms,
            now: clock::local(now_ms).chars().skip(11).collect(),
        }
    }

    /// A moment as this page shows it.
    pub fn moment(&self, at_ms: i64) -> Moment {
        Moment {
            iso: clock::precise(at_ms),
            exact: clock::local(at_ms),
            ago: ago(self.now_ms, at_ms),
        }
    }
}

/// A moment, for people and machines.
pub(super) struct Moment {
    /// As machines read it.
    pub iso: String,
    /// To the second.
    pub exact: String,
    /// How long ago.
    pub ago: String,
}

/// A state as people read it.
pub(super) fn word(state: Stands) -> &'static str {
    match state {
        Stands::Waiting => "Waiting",
        Stands::Queued => "Queued",
        Stands::Running => "Running",
        Stands::Approval => "Waits for approval",
        Stands::Switching => "Switching",
        Stands::Observing => "Observing",
        Stands::Live => "Live",
        Stands::Failed => "Failed",
        Stands::RolledBack => "Rolled back",
        Stands::Superseded => "Superseded",
        Stands::Cancelled => "Cancelled",
        Stands::Interrupted => "Interrupted",
    }
}

/// A page, with the headers that every page has.
pub(super) fn page(template: &impl Template) -> Result<Response, Unshown> {
    let text = template.render().map_err(Refusal::internal)?;
    Ok(dressed(StatusCode::OK, text))
}

fn dressed(status: StatusCode, text: String) -> Response {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

/// Why there is no page, which is a page as well.
#[derive(Debug)]
pub(super) struct Unshown(Refusal);

impl From<Refusal> for Unshown {
    fn from(cause: Refusal) -> Unshown {
        Unshown(cause)
    }
}

impl From<StoreError> for Unshown {
    fn from(cause: StoreError) -> Unshown {
        Unshown(Refusal::internal(cause))
    }
}

impl From<JournalError> for Unshown {
    fn from(cause: JournalError) -> Unshown {
        Unshown(cause.into())
    }
}

impl From<WorkerError> for Unshown {
    fn from(cause: WorkerError) -> Unshown {
        Unshown(cause.into())
    }
}

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    shell: Shell,
    status: u16,
    head: &'static str,
    refusal: &'a Refusal,
}

impl IntoResponse for Unshown {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let shell = Shell {
            here: "",
            viewer: String::new(),
            token: String::new(),
            version: env!("CARGO_PKG_VERSION"),
            assets: assets::VERSION.as_str(),
            now_ms: clock::now_ms(),
            now: String::new(),
        };
        let page = RefusalPage {
            shell,
            status: self.0.status,
            head: match self.0.status {
                401 => "Sign in to see this",
                403 => "Not allowed",
                404 => "There is no such page",
                429 => "Too many attempts",
                500.. => "Teal could not do this",
                _ => "This was not done",
            },
            refusal: &self.0,
        };
        match page.render() {
            Ok(text) => dressed(status, text),
            Err(_) => self.0.into_response(),
        }
    }
}

/// The refusal that strangers get: how to be let in.
pub(super) fn sign_in_first() -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "this page is for people who signed in")
        .next("open your one-time link; whoever may log in to the server prints one with: teal user link NAME")
}

/// What a visitor may not see does not exist for them.
pub(super) fn not_here() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "nothing is here, or not for you")
}
