//! What `teal-hook` and the server say to each other over `teal.sock`: one HTTP/1.0 POST of a [`Pushed`] to
//! `/hook/post-receive` or `/hook/proc-receive`, answered by a stream of lines, each a JSON [`Line`], until the
//! connection closes. An answer of 4xx is a refusal of the whole push, and its body is the reason. Empty lines only say
//! that the server still works. Before it the hook asks `GET /hook/hello` over a connection of its own, and hands over
//! nothing before that is answered: what a server that hangs was never given, it does not do when it goes on.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The socket, below the state folder.
pub const SOCKET: &str = "run/teal.sock";

/// The bare repositories, below the state folder; each is `<app>.git`.
pub const REPOSITORIES: &str = "repos";

/// How often the server sends an empty line while it has nothing to say.
pub const HEARTBEAT: Duration = Duration::from_secs(10);

/// After this long without a line the hook takes the server for frozen.
pub const SILENCE: Duration = Duration::from_secs(60);

/// What the hook asks first.
pub const HELLO: &str = "/hook/hello";

/// What starts the refs that only ask for a deployment and are never stored: `refs/deploy/<environment>`.
pub const DEPLOY_REFS: &str = "refs/deploy/";

/// What git handed to the hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The app, by the name of its repository.
    pub app: String,
    /// The words behind `-o`, unchecked.
    #[serde(default)]
    pub options: Vec<String>,
    /// Every ref of the push, in git's order.
    pub updates: Vec<Update>,
    /// Who the ssh key belongs to, where the key's entry says so. Otherwise the server goes by the user that the
    /// socket's other end runs as.
    #[serde(default)]
    pub user: Option<String>,
    /// The environments that the ssh key is limited to; absent: it is not limited.
    #[serde(default)]
    pub only: Option<Vec<String>>,
    /// Whether all refs are to move or none.
    #[serde(default)]
    pub atomic: bool,
    /// The push's own name: handed over twice, it is deployed once.
    #[serde(default)]
    pub id: String,
}

/// One ref of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The object it pointed to; zeros for a new ref.
    pub old: String,
    /// The object it is to point to; zeros for a deletion.
    pub new: String,
    /// The full name.
    #[serde(rename = "ref")]
    pub ref_name: String,
}

impl Update {
    /// Reads git's `<old> <new> <ref>`; nothing where that is not what it is, or not UTF-8.
    pub fn read(line: &[u8]) -> Option<Update> {
        let mut words = std::str::from_utf8(line).ok()?.splitn(3, ' ');
        Some(Update {
            old: words.next()?.to_owned(),
            new: words.next()?.to_owned(),
            ref_name: words.next()?.to_owned(),
        })
    }
}

/// One line of the server's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A line for the pusher's terminal.
    Say(String),
    /// The command that shows the running deployment again after the terminal is gone: `teal logs 42 -f`.
    LookAgain(String),
    /// Whether a ref may move; only in answer to proc-receive. Whoever says `ok` has moved the ref already, or wants no
    /// ref to be stored.
    Verdict(Verdict),
    /// Everything was said. A connection that closes without it has broken off.
    Done,
    /// Refs that git itself is to move; only in answer to proc-receive.
    FallThrough(Vec<String>),
}

/// The server's word on one ref.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The full name.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// Whether the push of this ref succeeded.
    pub ok: bool,
    /// Why not: one line.
    #[serde(default)]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_is_as_it_is_written_down() {
        let lines = [
            (Line::Say("fetch".into()), r#"{"say":"fetch"}"#),
            (
                Line::LookAgain("teal logs 42 -f".into()),
                r#"{"look_again":"teal logs 42 -f"}"#,
            ),
            (Line::Done, r#""done""#),
            (
                Line::Verdict(Verdict {
                    ref_name: "refs/heads/main".into(),
                    ok: false,
                    reason: Some("no".into()),
                }),
                r#"{"verdict":{"ref":"refs/heads/main","ok":false,"reason":"no"}}"#,
            ),
            (
                Line::FallThrough(vec!["refs/heads/x".into()]),
                r#"{"fall_through":["refs/heads/x"]}"#,
            ),
        ];
        for (line, wire) in lines {
            assert_eq!(serde_json::to_string(&line).unwrap(), wire);
            assert_eq!(serde_json::from_str::<Line>(wire).unwrap(), line);
        }
    }
}
