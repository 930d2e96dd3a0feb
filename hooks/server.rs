//! The connection to the server: which one it is, the request, and the lines of its answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use teal::intake::hook_protocol::{HELLO, Line, Pushed, REPOSITORIES, SILENCE, SOCKET};

/// How long the server may take to take the request.
const TAKEN_WITHIN: Duration = Duration::from_secs(30);

/// After this long without any answer the pusher is told that it is being waited for.
const SOON: Duration = Duration::from_secs(3);

/// Where this repository stands: `<state_dir>/repos/<app>.git`.
#[derive(Clone)]
pub struct Home {
    /// The repository's folder.
    pub repository: PathBuf,
    /// The app's name.
    pub app: String,
    state_dir: PathBuf,
}

/// Why there is no answer.
pub enum NoAnswer {
    /// The server does not run.
    Down,
    /// It hangs: it said nothing at all. It was given nothing either.
    Silent,
    /// It runs, and is not to be spoken with: permissions, a wrong answer.
    Unusable(String),
    /// It refuses the push as a whole.
    Refused(String),
}

impl Home {
    /// Reads it off the folder that git runs hooks in.
    pub fn find() -> io::Result<Home> {
        let given = std::env::var_os("GIT_DIR").unwrap_or_else(|| ".".into());
        let repository = std::fs::canonicalize(given)?;
        let found = || {
            let app = repository.file_name()?.to_str()?.strip_suffix(".git")?;
            let repositories = repository.parent()?;
            let state_dir = repositories.parent()?;
            (repositories.file_name()? == REPOSITORIES)
                .then(|| (app.to_owned(), state_dir.to_owned()))
        };
        match found() {
            Some((app, state_dir)) => Ok(Home {
                app,
                state_dir,
                repository,
            }),
            None => Err(io::Error::other(format!(
                "{} is not one of Teal's repositories (<state_dir>/{REPOSITORIES}/<app>.git)",
                repository.display()
            ))),
        }
    }

    /// Hands the push over and waits until the server begins to answer. A server that does not even say hello `within` this
    /// time is given nothing; `waits` is called when it takes long.
    pub fn ask(
        &self,
        hook: &str,
        pushed: &Pushed,
        within: Duration,
        waits: impl FnOnce(),
    ) -> Result<Answer, NoAnswer> {
        self.hello(within, waits)?;
        let mut stream = self.connect()?;
        let begun = send(&mut stream, hook, pushed).and_then(|()| Answer::begin(stream));
        begun.map_err(|error| unusable(&self.socket(), &error))?
    }

    /// Whether the server answers at all. A thread asks, because even connecting may take for ever.
    fn hello(&self, within: Duration, waits: impl FnOnce()) -> Result<(), NoAnswer> {
        let (tell, told) = channel();
        let home = self.clone();
        thread::spawn(move || {
            let said = home.connect().and_then(|stream| {
                let said = say_hello(stream);
                said.map_err(|error| unusable(&home.socket(), &error))
            });
            tell.send(said)
        });
        let soon = SOON.min(within);
        match told.recv_timeout(soon) {
            Ok(said) => return said,
            Err(RecvTimeoutError::Timeout) => waits(),
            Err(RecvTimeoutError::Disconnected) => return Err(NoAnswer::Silent),
        }
        let said = told.recv_timeout(within - soon);
        said.unwrap_or(Err(NoAnswer::Silent))
    }

    fn socket(&self) -> PathBuf {
        self.state_dir.join(SOCKET)
    }

    fn connect(&self) -> Result<UnixStream, NoAnswer> {
        let socket = self.socket();
        connect(&socket).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => NoAnswer::Down,
            _ => unusable(&socket, &error),
        })
    }
}

/// Any answer is one: a server of another version knows no such question.
fn say_hello(mut stream: UnixStream) -> io::Result<()> {
    let request = format!("GET {HELLO} HTTP/1.0\r\nHost: teal\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    line(&mut BufReader::new(stream)).map(|_| ())
}

fn unusable(socket: &Path, error: &io::Error) -> NoAnswer {
    NoAnswer::Unusable(format!(
        "Teal cannot be spoken with over {}: {error}",
        socket.display()
    ))
}

/// A socket's address holds 107 bytes and a path may be longer, so the connection is made from the socket's own folder.
fn connect(socket: &Path) -> io::Result<UnixStream> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    std::env::set_current_dir(folder)?;
    UnixStream::connect(name)
}

fn send(stream: &mut UnixStream, hook: &str, pushed: &Pushed) -> io::Result<()> {
    stream.set_write_timeout(Some(TAKEN_WITHIN))?;
    stream.set_read_timeout(Some(TAKEN_WITHIN))?;
    let body = serde_json::to_vec(pushed)?;
    let mut request = format!(
        "POST /hook/{hook} HTTP/1.0\r\nHost: teal\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(&body);
    stream.write_all(&request)
}

/// The lines that the server sends. It ends with an error when they break off.
pub struct Answer {
    from: BufReader<UnixStream>,
    is_over: bool,
}

impl Answer {
    fn begin(stream: UnixStream) -> io::Result<Result<Answer, NoAnswer>> {
        let mut from = BufReader::new(stream);
        let status = line(&mut from)?;
        while !line(&mut from)?.trim_ascii_end().is_empty() {}
        let status = String::from_utf8_lossy(&status);
        match status.split(' ').nth(1) {
            Some("200") => {
                from.get_ref().set_read_timeout(Some(SILENCE))?;
                let is_over = false;
                Ok(Ok(Answer { from, is_over }))
            }
            Some(code) if code.starts_with('4') => {
                let mut reason = Vec::new();
                from.take(2000).read_to_end(&mut reason)?;
                let reason = String::from_utf8_lossy(&reason).trim().to_owned();
                Ok(Err(NoAnswer::Refused(reason)))
            }
            _ => Err(io::Error::other(format!("it answered `{}`", status.trim()))),
        }
    }
}

impl Iterator for Answer {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        while !self.is_over {
            let next = line(&mut self.from);
            self.is_over = next.is_err();
            match next.map(|line| serde_json::from_slice(&line)) {
                Err(error) => return Some(Err(error)),
                Ok(Ok(Line::Done)) => self.is_over = true,
                Ok(Ok(line)) => return Some(Ok(line)),
                // A heartbeat, or a word of a newer server's.
                Ok(Err(_)) => {}
            }
        }
        None
    }
}

fn line(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let read = from.take(1 << 20).read_until(b'\n', &mut line);
    match (read, line.last()) {
        (Ok(_), Some(b'\n')) => Ok(line),
        (Ok(_), _) => Err(io::Error::other("it was closed")),
        (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(io::Error::other("the server is silent"))
        }
        (Err(error), _) => Err(error),
    }
}
