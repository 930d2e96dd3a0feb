use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a process ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The code it gave.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of it because memory ran out.
    pub oom: bool,
    /// How many processes it left behind, which were then killed: more than none after a command that put itself in the
    /// background.
    pub left_behind: usize,
    /// Why nothing could be started at all, or why nothing is known.
    pub trouble: Option<String>,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0) && self.trouble.is_none()
    }

    /// From a wait status.
    pub(super) fn from_status(status: i32) -> Exit {
        use std::os::unix::process::ExitStatusExt;
        let status = std::process::ExitStatus::from_raw(status);
        Exit {
            code: status.code(),
            signal: status.signal(),
            ..Exit::default()
        }
    }

    pub(super) fn unknown(trouble: impl Into<String>) -> Exit {
        Exit {
            trouble: Some(trouble.into()),
            ..Exit::default()
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal, &self.trouble) {
            (_, _, Some(trouble)) => f.write_str(trouble)?,
            (None, Some(_), _) if self.oom => f.write_str("was killed because memory ran out")?,
            (None, Some(number), _) => write!(f, "was killed by signal {}", signal_name(number))?,
            (Some(code), _, _) => {
                write!(f, "exited with code {code}")?;
                if self.oom {
                    f.write_str(" after a process of it was killed because memory ran out")?;
                } else if let Some(meaning) = meaning(code) {
                    write!(f, " ({meaning})")?;
                }
            }
            (None, None, None) => f.write_str("ended")?,
        }
        match (self.left_behind, self.code) {
            (0, _) => Ok(()),
            (n, Some(0)) => write!(
                f,
                " while {n} of its processes went on in the background (they were killed; it has to stay in the \
                 foreground)"
            ),
            (n, _) => write!(f, " ({n} processes that it left behind were killed)"),
        }
    }
}

/// What a shell means by its codes above 125.
fn meaning(code: i32) -> Option<String> {
    match code {
        126 => Some("the command could not be executed".to_owned()),
        127 => Some("command not found".to_owned()),
        129..=192 => Signal::try_from(code - 128)
            .ok()
            .map(|signal| format!("killed by {}", signal.as_str())),
        _ => None,
    }
}

fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => format!("{number} ({})", signal.as_str()),
        Err(_) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_is_said_in_words() {
        let said = |status| Exit::from_status(status).to_string();
        assert_eq!(said(0x100), "exited with code 1");
        assert_eq!(said(127 << 8), "exited with code 127 (command not found)");
        assert_eq!(said(137 << 8), "exited with code 137 (killed by SIGKILL)");
        assert_eq!(said(9), "was killed by signal 9 (SIGKILL)");
        let oom = Exit {
            oom: true,
            ..Exit::from_status(9)
        };
        assert_eq!(oom.to_string(), "was killed because memory ran out");
    }
}
