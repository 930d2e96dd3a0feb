use super::{AppName, CommitId};
use serde::{Deserialize, Serialize};

/// By which door a push came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `git push` to the bare repository on this server.
    Hook,
    /// A signed delivery of a forge.
    Webhook,
    /// `teal deploy`, `rollback`, `restart`, `env` on this server.
    Cli,
    /// Teal itself found a tip that was never tried.
    Reconcile,
    /// The dashboard, or a script with an API token.
    Dashboard,
    /// A button in a chat.
    Chat,
    /// A deployment that somebody made at the forge.
    Deployment,
}

impl Origin {
    /// Who came by it, in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Hook => "push",
            Origin::Webhook => "webhook",
            Origin::Cli => "command",
            Origin::Reconcile => "reconcile",
            Origin::Dashboard => "dashboard",
            Origin::Chat => "chat",
            Origin::Deployment => "deployment",
        }
    }

    /// Whether whoever came by it meant one commit, and not whatever a ref points to.
    pub fn means_a_commit(self) -> bool {
        matches!(
            self,
            Origin::Cli | Origin::Dashboard | Origin::Chat | Origin::Deployment
        )
    }
}

/// A verified wish that a commit go live. A deletion is not a push: the doors answer it themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// The app whose repository was pushed to.
    pub app: AppName,
    /// The full ref as its sender named it (`refs/heads/main`, `refs/tags/v1`): data, never part of a command line.
    pub ref_name: String,
    /// The commit the ref points to now. For an annotated tag the doors may give the tag object; the fetch peels it.
    pub commit: CommitId,
    /// Who pushed, as the door knows them: a forge login or a unix user.
    pub by: String,
    /// By which door.
    pub origin: Origin,
    /// What the pusher asked for beyond the push itself.
    pub options: PushOptions,
}

/// The push options that Teal knows (`git push -o fast`), already checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PushOptions {
    /// `-o fast`: incremental, whatever the environment's `mode` says.
    pub fast: bool,
    /// `-o full`: from scratch.
    pub full: bool,
    /// `-o redeploy`: deploy even what serves already.
    pub redeploy: bool,
    /// `-o skip-tests`.
    pub skip_tests: bool,
    /// `-o now`: deploy although the environment is frozen.
    pub now: bool,
    /// `-o plan`: say what would be done; do nothing.
    pub plan: bool,
}

impl PushOptions {
    /// Reads the words behind `-o`. An unknown word is an error that names it and the nearest right one, because a
    /// typing mistake that is silently ignored deploys something that nobody asked for.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<PushOptions, String> {
        let mut options = PushOptions::default();
        for word in words {
            match word {
                "fast" => options.fast = true,
                "full" => options.full = true,
                "redeploy" => options.redeploy = true,
                "skip-tests" => options.skip_tests = true,
                "now" => options.now = true,
                "plan" => options.plan = true,
                other => {
                    let shown: String = other
                        .chars()
                        .take(40)
                        .flat_map(char::escape_debug)
                        .collect();
                    return Err(format!(
                        "unknown push option `{shown}`: Teal knows fast, full, redeploy, skip-tests, now and plan"
                    ));
                }
            }
        }
        if options.fast && options.full {
            return Err(
                "push options `fast` and `full` contradict each other: give one".to_owned(),
            );
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked() {
        let options = PushOptions::parse(["full", "skip-tests"]).unwrap();
        assert!(options.full && options.skip_tests && !options.plan);
        assert!(PushOptions::parse(["fats"]).unwrap_err().contains("`fats`"));
        assert!(PushOptions::parse(["fast", "full"]).is_err());
    }
}
