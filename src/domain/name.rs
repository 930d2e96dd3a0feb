use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a word cannot name an app or an environment, or is not a commit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[a-z0-9][a-z0-9-]*`, or longer than 40 bytes.
    #[error(
        "`{0}` cannot be a name here: use 1 to 40 lower-case letters, digits and `-`, starting with a letter or digit"
    )]
    Word(String),
    /// Not 40 hexadecimal digits.
    #[error("`{0}` is not a full commit id (40 hexadecimal digits)")]
    Commit(String),
    /// Not `app/environment`.
    #[error("`{0}` is not `app/environment`")]
    Environment(String),
}

fn is_plain_word(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=40).contains(&word.len())
        && word.starts_with(plain)
        && word.chars().all(|c| plain(c) || c == '-')
}

/// The text as it may be shown in an error: one line, no control characters, 60 characters at most.
fn shown(word: &str) -> String {
    let mut text: String = word.chars().take(60).flat_map(char::escape_debug).collect();
    if word.chars().count() > 60 {
        text.push('…');
    }
    text
}

macro_rules! plain_word {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The word itself; safe as a file name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(word: &str) -> Result<Self, NameError> {
                if is_plain_word(word) {
                    Ok(Self(word.to_owned()))
                } else {
                    Err(NameError::Word(shown(word)))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(word: String) -> Result<Self, NameError> {
                word.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

plain_word!(
    /// The name of an app as `teal.toml` gives it: a plain lower-case word, safe in paths and host names.
    AppName
);
plain_word!(
    /// The name of an environment (`production`): a plain lower-case word, safe in paths and host names.
    EnvName
);
plain_word!(
    /// The name of a person as `teal.toml` gives it (`[people.<name>]`): a plain lower-case word.
    PersonName
);
plain_word!(
    /// The name of an ssh key that may push here (`teal key add <name>`): a plain lower-case word.
    KeyName
);
plain_word!(
    /// The name of a group, which is a role that people have: `release` in `group:release`.
    GroupName
);

/// One environment of one app; written `app/environment`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvId {
    /// The app.
    pub app: AppName,
    /// The environment of that app.
    pub env: EnvName,
}

impl EnvId {
    /// A word for file names, upstreams and sockets that no other environment has: both names are free of `.`.
    pub fn key(&self) -> String {
        format!("{}.{}", self.app, self.env)
    }
}

impl fmt::Display for EnvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.app, self.env))
    }
}

impl FromStr for EnvId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (app, env) = text
            .split_once('/')
            .ok_or_else(|| NameError::Environment(shown(text)))?;
        Ok(EnvId {
            app: app.parse()?,
            env: env.parse()?,
        })
    }
}

impl TryFrom<String> for EnvId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<EnvId> for String {
    fn from(id: EnvId) -> String {
        id.to_string()
    }
}

/// A full commit id: 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

impl CommitId {
    /// All 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first nine digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..9]
    }

    /// Whether this is git's word for "no commit": 40 zeros.
    pub fn is_zero(&self) -> bool {
        self.0.bytes().all(|b| b == b'0')
    }
}

impl FromStr for CommitId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(CommitId(text.to_ascii_lowercase()))
        } else {
            Err(NameError::Commit(shown(text)))
        }
    }
}

impl TryFrom<String> for CommitId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> String {
        id.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words() {
        for good in ["a", "arq", "shop-2", "0day"] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        let long = "a".repeat(41);
        for bad in [
            "", "-a", "A", "a/b", "..", "a b", "a\n", "a;b", "ä", "a.b", &long,
        ] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_shows_hostile_text_on_one_line() {
        let error = "x\n\u{1b}[31m".parse::<EnvName>().unwrap_err().to_string();
        assert!(
            !error.contains('\n') && !error.contains('\u{1b}'),
            "{error}"
        );
    }
}
