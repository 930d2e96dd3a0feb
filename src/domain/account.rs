use super::PersonName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How one of the doors knows somebody, once it has made sure of it. Names of different doors never mean the same person
/// by being spelled alike: only `[people]` says which accounts are whose.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Account {
    /// A user of this machine, as the kernel tells it of a socket's other end.
    Unix(String),
    /// An ssh key by the name that it was added under.
    Key(String),
    /// A login of GitHub.
    GitHub(String),
    /// A login of Gitea or Forgejo.
    Gitea(String),
    /// A login of GitLab.
    GitLab(String),
    /// A user's id in Slack.
    Slack(String),
    /// A user of the dashboard, also behind an API token.
    User(String),
    /// Teal itself: a missed push that it found, a deployment that it tries again.
    Teal,
}

impl Account {
    /// The name alone.
    pub fn name(&self) -> &str {
        match self {
            Account::Unix(name)
            | Account::Key(name)
            | Account::GitHub(name)
            | Account::Gitea(name)
            | Account::GitLab(name)
            | Account::Slack(name)
            | Account::User(name) => name,
            Account::Teal => "teal",
        }
    }

    /// The key of `[people.<name>]` that says whose account this is.
    pub fn config_key(&self) -> Option<&'static str> {
        match self {
            Account::Unix(_) => Some("unix"),
            Account::Key(_) => Some("keys"),
            Account::GitHub(_) => Some("github"),
            Account::Gitea(_) => Some("gitea"),
            Account::GitLab(_) => Some("gitlab"),
            Account::Slack(_) => Some("slack"),
            // A user of the dashboard is the person of the same name, since both are made by whoever runs the server.
            Account::User(_) | Account::Teal => None,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Account::Unix(_) => "the unix user",
            Account::Key(_) => "the ssh key",
            Account::GitHub(_) => "the GitHub login",
            Account::Gitea(_) => "the Gitea login",
            Account::GitLab(_) => "the GitLab login",
            Account::Slack(_) => "the Slack user",
            Account::User(_) => "the dashboard's user",
            Account::Teal => return f.write_str("Teal itself"),
        };
        write!(f, "{kind} {}", one_line(self.name()))
    }
}

/// Somebody who wants something: the account that a door made sure of, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The account.
    pub account: Account,
    /// The person whose account it is, where `teal.toml` says so.
    pub person: Option<PersonName>,
}

impl Actor {
    /// What they are called in history, logs and messages.
    pub fn name(&self) -> &str {
        self.person
            .as_ref()
            .map_or(self.account.name(), PersonName::as_str)
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.person {
            Some(person) => write!(f, "{person}, by {}", self.account),
            None => write!(f, "{}", self.account),
        }
    }
}

/// A name as it may be shown: logins are strangers' words.
fn one_line(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_called_by_the_persons_name_where_there_is_one() {
        let account = Account::GitHub("ada-l".to_owned());
        let stranger = Actor {
            account: account.clone(),
            person: None,
        };
        assert_eq!(stranger.name(), "ada-l");
        assert_eq!(stranger.to_string(), "the GitHub login ada-l");
        let ada = Actor {
            account,
            person: Some("ada".parse().unwrap()),
        };
        assert_eq!(ada.name(), "ada");
        assert_eq!(ada.to_string(), "ada, by the GitHub login ada-l");
    }

    #[test]
    fn a_hostile_login_stays_on_one_line() {
        let shown = Account::GitHub("x\n\u{1b}[2J".to_owned()).to_string();
        assert!(!shown.contains(['\n', '\u{1b}']), "{shown}");
    }
}
