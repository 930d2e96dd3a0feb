use super::RefNameError;
use http::StatusCode;

/// Why a delivery is not taken. Its text is the answer's body: one sentence that helps the person who set the hook up.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing in the headers says who sent it, so nothing vouches for it.
    #[error(
        "no forge sent this: it carries none of the headers X-GitHub-Event, X-Gitea-Event, X-Forgejo-Event, X-Gogs-Event and X-Gitlab-Event"
    )]
    NoForge,
    /// The app is pushed to directly.
    #[error("the app `{app}` takes no webhooks: it has no `forge` in teal.toml")]
    TakesNone {
        /// The app's name.
        app: String,
    },
    /// Another kind of forge than the configured one.
    #[error(
        "this is a delivery of {came}, but teal.toml says that the app `{app}` lives on {expected}: correct `forge` there or the hook's type"
    )]
    OtherForge {
        /// The app's name.
        app: String,
        /// Who sent it, by its headers.
        came: &'static str,
        /// Who should have.
        expected: &'static str,
    },
    /// Nothing to check a signature with.
    #[error("the app `{app}` has no `webhook_secret` in teal.toml, so no delivery can be verified")]
    NoSecret {
        /// The app's name.
        app: String,
    },
    /// The header that vouches for the body is missing or empty.
    #[error(
        "the delivery is not signed: the header {header} is missing or empty; give the hook the app's `webhook_secret` as its secret"
    )]
    Unsigned {
        /// The missing header.
        header: &'static str,
    },
    /// Two values for a header that has one.
    #[error("the header {header} is there more than once")]
    Doubled {
        /// The header.
        header: &'static str,
    },
    /// The header is there and does not fit.
    #[error(
        "the header {header} does not fit the body: the hook's secret is not the app's `webhook_secret`, or the body was changed on its way"
    )]
    WrongSignature {
        /// The header.
        header: &'static str,
    },
    /// GitLab's token is there and is another one.
    #[error(
        "the header X-Gitlab-Token is not the app's `webhook_secret`: give the hook that value as its secret token"
    )]
    WrongToken,
    /// Others fill the memory for deliveries.
    #[error("too much is being delivered at the same time: send it again in a minute")]
    Busy,
    /// Neither JSON nor a form.
    #[error(
        "the content type {0} is not taken: send application/json or application/x-www-form-urlencoded"
    )]
    ContentType(String),
    /// A compressed body.
    #[error("the content encoding {0} is not taken: send the body as it is")]
    ContentEncoding(String),
    /// Over the limit; the rest was not read.
    #[error("the body is longer than {limit} bytes, the most that is taken")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The sender took too long.
    #[error("the body did not arrive within {seconds} seconds")]
    TooSlow {
        /// The deadline.
        seconds: u64,
    },
    /// The connection broke, or its framing is wrong.
    #[error("the body broke off: {0}")]
    Broken(String),
    /// A form without exactly one payload.
    #[error("the form must have one field `payload`; it has {0}")]
    Form(usize),
    /// Not JSON.
    #[error("the payload is not JSON: {0}")]
    NotJson(String),
    /// JSON without the fields that this event has.
    #[error("the payload of a `{event}` event lacks what Teal needs: {what}")]
    Incomplete {
        /// The event, as the forge calls it.
        event: String,
        /// What is wrong.
        what: String,
    },
    /// Not a name that git would take.
    #[error(transparent)]
    Ref(#[from] RefNameError),
    /// Not a commit's name.
    #[error(transparent)]
    Commit(#[from] crate::domain::NameError),
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        use Refusal::*;
        match self {
            NoForge
            | NoSecret { .. }
            | Unsigned { .. }
            | Doubled { .. }
            | WrongSignature { .. }
            | WrongToken => StatusCode::UNAUTHORIZED,
            OtherForge { .. } | Broken(_) | Form(_) | NotJson(_) => StatusCode::BAD_REQUEST,
            Busy => StatusCode::SERVICE_UNAVAILABLE,
            TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ContentType(_) | ContentEncoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            TakesNone { .. } | Incomplete { .. } | Ref(_) | Commit(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
        }
    }
}
