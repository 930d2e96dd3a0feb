use super::NginxError;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;

/// `nginx -t` resolves every host name of the user's own files; a dead resolver makes that slow.
const DEADLINE: Duration = Duration::from_secs(60);

/// Lines of nginx's own words that are shown.
const SHOWN_LINES: usize = 20;

/// The user's nginx program.
#[derive(Debug)]
pub(super) struct Program {
    words: Vec<String>,
}

/// How a call of it ended.
pub(super) struct Said {
    /// Whether it did what it was asked.
    pub done: bool,
    /// The call, for people.
    pub command: String,
    /// What it wrote.
    pub words: String,
}

impl Program {
    /// The program with its standing arguments.
    pub(super) fn new(words: Vec<String>) -> Self {
        Program { words }
    }

    /// `nginx -t`: whether the configuration as it is on disk would be accepted.
    pub(super) async fn check(&self) -> Result<Said, NginxError> {
        self.run(&["-t"]).await
    }

    /// `nginx -T`: whether a file that nginx reads, wherever it is, has this line.
    pub(super) async fn reads(&self, line: &str) -> Result<bool, NginxError> {
        let (_, output) = self.output(&["-T"]).await?;
        let dump = String::from_utf8_lossy(&output.stdout);
        Ok(dump.lines().any(|known| known == line))
    }

    /// `nginx -s reload`. Success means that the master was signalled, not that it did anything.
    pub(super) async fn reload(&self) -> Result<(), NginxError> {
        self.signal("reload").await
    }

    /// Whether it runs: only an nginx that does can open its logs anew, and nothing else comes of that.
    pub(super) async fn is_there(&self) -> Result<(), NginxError> {
        self.signal("reopen").await
    }

    async fn signal(&self, word: &str) -> Result<(), NginxError> {
        let said = self.run(&["-s", word]).await?;
        if said.done {
            return Ok(());
        }
        // The pid file is missing, or empty, or names a process that is gone.
        let gone = ["No such file", "No such process", "invalid PID number"];
        if gone.iter().any(|words| said.words.contains(words)) {
            return Err(NginxError::Dead {
                words: said.words,
                start: self.words.join(" "),
            });
        }
        Err(NginxError::Reload {
            command: said.command,
            words: said.words,
        })
    }

    async fn run(&self, arguments: &[&str]) -> Result<Said, NginxError> {
        let (command, output) = self.output(arguments).await?;
        let mut words = String::from_utf8_lossy(&output.stderr).into_owned();
        words.push_str(&String::from_utf8_lossy(&output.stdout));
        Ok(Said {
            done: output.status.success(),
            command,
            words: shown(&words, &output.status.to_string()),
        })
    }

    /// One call: how it reads to people, and what came of it.
    async fn output(&self, arguments: &[&str]) -> Result<(String, Output), NginxError> {
        let standing = self.words.iter().map(String::as_str);
        let all: Vec<&str> = standing.chain(arguments.iter().copied()).collect();
        let command = all.join(" ");
        let (name, rest) = all
            .split_first()
            .map_or(("nginx", &[][..]), |(n, r)| (*n, r));
        let ended = Command::new(name)
            .args(rest)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(DEADLINE, ended).await {
            Ok(Ok(output)) => Ok((command, output)),
            Ok(Err(source)) => Err(NginxError::Run { command, source }),
            Err(_) => Err(NginxError::Slow {
                command,
                seconds: DEADLINE.as_secs(),
            }),
        }
    }
}

/// The first lines without control characters; a program that said nothing at least has an exit status.
fn shown(words: &str, status: &str) -> String {
    let lines: Vec<String> = words
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(SHOWN_LINES)
        .map(|line| line.replace(char::is_control, " "))
        .collect();
    match lines.is_empty() {
        true => status.to_owned(),
        false => lines.join("\n"),
    }
}
