//! What ends a command early, what it is called for a script, and what to type next.

use crate::config::ConfigError;
use crate::web::Refusal;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a command ended, as scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Done.
    Done = 0,
    /// The deployment did not become live, or the server failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The server cannot be reached.
    Unreachable = 3,
    /// Not allowed, locked, rejected.
    Refused = 4,
    /// `teal run`: the command cannot be executed, as shells say it.
    NotExecutable = 126,
    /// `teal run`: there is no such command, as shells say it.
    NotFound = 127,
    /// Somebody pressed Ctrl-C and stopped looking; what was asked for goes on.
    Detached = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> ExitCode {
        ExitCode::from(code as u8)
    }
}

/// Why a command could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What was typed cannot be meant.
    #[error("{text}")]
    Usage {
        /// What is wrong with it.
        text: String,
        /// What to type instead.
        next: String,
    },
    /// Nobody answers.
    #[error("the server cannot be reached: {}", unreachable(.socket, .source))]
    Unreachable {
        /// Where it should listen.
        socket: PathBuf,
        /// The configuration that says so.
        config: PathBuf,
        /// The user that the server runs as.
        owner: String,
        /// What the system said.
        source: io::Error,
    },
    /// The server said no.
    #[error("{}", .0.error)]
    Refused(Refusal),
    /// The server broke off in the middle of its answer.
    #[error("the server broke off in the middle of its answer: {0}")]
    Cut(String),
    /// The server said something that this version does not understand.
    #[error("the server's answer to {asked} is not understood: {why}")]
    Answer {
        /// The request.
        asked: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// Something on this side failed.
    #[error("{what}: {source}")]
    Local {
        /// What was tried.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The one-off command did not start.
    #[error("cannot run `{program}`: {source}")]
    Command {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server could not begin, or ended with an error.
    #[error(transparent)]
    Serve(#[from] crate::server::ServeError),
    /// The repositories could not be made.
    #[error(transparent)]
    Setup(#[from] crate::setup::SetupError),
}

fn unreachable(socket: &Path, source: &io::Error) -> String {
    let socket = socket.display();
    match source.kind() {
        io::ErrorKind::NotFound => format!("there is no {socket}"),
        io::ErrorKind::ConnectionRefused => format!("nothing answers on {socket}"),
        io::ErrorKind::PermissionDenied => format!("you may not open {socket}"),
        _ => format!("{socket}: {source}"),
    }
}

impl CliError {
    /// What was typed cannot be meant, and what can.
    pub fn usage(text: impl Into<String>, next: impl Into<String>) -> CliError {
        CliError::Usage {
            text: text.into(),
            next: next.into(),
        }
    }

    /// Something on this side failed.
    pub fn local(what: impl Into<String>, source: io::Error) -> CliError {
        CliError::Local {
            what: what.into(),
            source,
        }
    }

    /// What scripts see.
    pub fn code(&self) -> Code {
        match self {
            CliError::Config(_) | CliError::Usage { .. } => Code::Usage,
            CliError::Unreachable { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Code::Refused
            }
            CliError::Unreachable { .. } | CliError::Cut(_) => Code::Unreachable,
            CliError::Refused(refusal) => match refusal.status {
                403 | 409 => Code::Refused,
                400..=499 => Code::Usage,
                _ => Code::Failed,
            },
            CliError::Command { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Code::NotFound,
                _ => Code::NotExecutable,
            },
            CliError::Answer { .. }
            | CliError::Local { .. }
            | CliError::Serve(_)
            | CliError::Setup(_) => Code::Failed,
        }
    }

    /// What to do about it, where that is known.
    pub fn next(&self) -> Option<String> {
        match self {
            CliError::Usage { next, .. } => Some(next.clone()),
            CliError::Unreachable {
                source,
                config,
                owner,
                ..
            } => Some(match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    format!("run the command as {owner} or root: sudo -u {owner} teal …")
                }
                io::ErrorKind::TimedOut => {
                    "see what it does: `journalctl -u teal`; a restart drops no request: `systemctl restart teal`"
                        .to_owned()
                }
                _ => format!(
                    "start it: `systemctl start teal`, or `teal serve` with {} (`--config` names another one)",
                    config.display()
                ),
            }),
            CliError::Refused(refusal) => refusal.next.clone(),
            CliError::Cut(_) => Some("see whether it is back: `teal status`".to_owned()),
            CliError::Answer { .. } => Some(
                "the command and the server may be of different versions: restart the server, and compare `teal --version` with `teal status --json`"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// Whether the server may only be on its way back.
    pub fn may_pass(&self) -> bool {
        match self {
            CliError::Cut(_) => true,
            CliError::Unreachable { source, .. } => {
                source.kind() != io::ErrorKind::PermissionDenied
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::said;

    fn unreachable(kind: io::ErrorKind) -> CliError {
        CliError::Unreachable {
            socket: "/var/lib/teal/run/teal.sock".into(),
            config: "/etc/teal/teal.toml".into(),
            owner: "teal".to_owned(),
            source: kind.into(),
        }
    }

    #[test]
    fn a_server_that_is_down_is_named_with_the_way_to_start_it() {
        let error = unreachable(io::ErrorKind::NotFound);
        assert_eq!(error.code(), Code::Unreachable);
        insta::assert_snapshot!(said(&error), @r"
        error: the server cannot be reached: there is no /var/lib/teal/run/teal.sock
          next: start it: `systemctl start teal`, or `teal serve` with /etc/teal/teal.toml (`--config` names another one)
        ");
    }

    #[test]
    fn a_socket_that_may_not_be_opened_is_a_refusal() {
        let error = unreachable(io::ErrorKind::PermissionDenied);
        assert_eq!(error.code(), Code::Refused);
        insta::assert_snapshot!(said(&error), @r"
        error: the server cannot be reached: you may not open /var/lib/teal/run/teal.sock
          next: run the command as teal or root: sudo -u teal teal …
        ");
    }

    #[test]
    fn the_servers_refusals_keep_their_meaning() {
        let refused = |status| {
            CliError::Refused(Refusal {
                status,
                error: "there is no environment `prodution`".to_owned(),
                next: Some("did you mean `production`?".to_owned()),
            })
        };
        let codes = [403, 409, 404, 422, 500].map(|status| refused(status).code() as u8);
        assert_eq!(codes, [4, 4, 2, 2, 1]);
        insta::assert_snapshot!(said(&refused(404)), @r"
        error: there is no environment `prodution`
          next: did you mean `production`?
        ");
    }

    #[test]
    fn a_mistake_in_the_configuration_is_shown_as_it_is() {
        let error = crate::config::Server::parse(
            "lisen = \"127.0.0.1:1\"",
            Path::new("teal.toml"),
            &|_| None,
        );
        let error = CliError::from(error.unwrap_err());
        assert_eq!(error.code(), Code::Usage);
        assert!(
            said(&error).starts_with("teal.toml:1:1: "),
            "{}",
            said(&error)
        );
    }
}
