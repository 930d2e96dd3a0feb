use crate::config::ForgeApi;
use crate::domain::Moment;
use crate::report::News;

/// What a forge can be told of a deployment: the same five things in the words of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Running,
    Good,
    Bad,
    Over,
}

impl State {
    /// Serving and observed is success; what failed or was rolled back is a failure; all other ends are errors.
    pub fn of(moment: Moment) -> State {
        match moment {
            Moment::Queued | Moment::Waiting => State::Waiting,
            Moment::Started | Moment::Step => State::Running,
            Moment::Live => State::Good,
            Moment::Failed | Moment::RolledBack => State::Bad,
            Moment::Superseded | Moment::Cancelled | Moment::Interrupted => State::Over,
        }
    }

    /// The word of a commit status at GitHub, Gitea and Forgejo.
    pub fn status(self) -> &'static str {
        match self {
            State::Waiting | State::Running => "pending",
            State::Good => "success",
            State::Bad => "failure",
            State::Over => "error",
        }
    }

    /// The word of a deployment's status at GitHub.
    pub fn deployment(self) -> &'static str {
        match self {
            State::Waiting => "queued",
            State::Running => "in_progress",
            State::Good => "success",
            State::Bad => "failure",
            State::Over => "error",
        }
    }

    /// The word of a commit status at GitLab.
    pub fn gitlab(self) -> &'static str {
        match self {
            State::Waiting => "pending",
            State::Running => "running",
            State::Good => "success",
            State::Bad => "failed",
            State::Over => "canceled",
        }
    }
}

/// What a commit status is filed under. An example is filed apart, because a status cannot be taken back.
pub(super) fn context(api: &ForgeApi, news: &News) -> String {
    match news.test {
        true => "teal/test".to_owned(),
        false => format!("teal/{}", api.label(news.env())),
    }
}
