//! The server's side of the hook protocol, with the words that a test gives it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;
use teal::intake::hook_protocol::{Line, Pushed, Verdict};

/// What one hook asked.
#[derive(Debug)]
pub struct Asked {
    /// `post-receive` or `proc-receive`.
    pub hook: String,
    /// The body.
    pub pushed: Pushed,
}

/// The open connection to one hook.
pub struct Hook(UnixStream);

impl Hook {
    /// Begins the answer.
    pub fn begin(&mut self, status: &str) {
        let head = format!("HTTP/1.0 {status}\r\nContent-Type: application/x-ndjson\r\n\r\n");
        self.0.write_all(head.as_bytes()).unwrap();
    }

    /// Whether the line could be sent.
    pub fn try_send(&mut self, line: &Line) -> bool {
        let line = serde_json::to_string(line).unwrap() + "\n";
        self.0.write_all(line.as_bytes()).is_ok()
    }

    /// Sends these lines.
    pub fn send(&mut self, lines: &[Line]) {
        for line in lines {
            assert!(self.try_send(line), "the hook went away before {line:?}");
        }
    }

    /// A whole answer.
    pub fn answer(&mut self, lines: &[Line]) {
        self.begin("200 OK");
        self.send(lines);
        self.send(&[Line::Done]);
    }

    /// Another answer than 200, with its reason.
    pub fn refuse(&mut self, status: &str, reason: &str) {
        self.begin(status);
        // A hook that has read the status may be gone already.
        let _ = self.0.write_all(reason.as_bytes());
    }

    /// Waits until the hook has closed its end.
    pub fn wait_until_closed(&mut self) {
        let mut rest = Vec::new();
        // An end that died with words unread is reset, which is an end too.
        match self.0.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(rest, b""),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

/// Answers every hook with `answer`, and reports what was asked.
pub fn serve(
    socket: &Path,
    answer: impl Fn(&Asked, &mut Hook) + Send + 'static,
) -> Receiver<Asked> {
    let listener = UnixListener::bind(socket).unwrap();
    let (report, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(60)))
                .unwrap();
            let Some(question) = read(&stream) else {
                Hook(stream).begin("200 OK");
                continue;
            };
            answer(&question, &mut Hook(stream));
            if report.send(question).is_err() {
                return;
            }
        }
    });
    asked
}

/// The question; nothing when it is only whether anybody is there.
fn read(stream: &UnixStream) -> Option<Asked> {
    let mut from = BufReader::new(stream);
    let mut head = Vec::new();
    while head.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        head.push(line);
    }
    if head[0].starts_with("GET /hook/hello ") {
        return None;
    }
    let hook = head[0]
        .strip_prefix("POST /hook/")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.0\r\n"))
        .unwrap();
    let length = head
        .iter()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    from.read_exact(&mut body).unwrap();
    Some(Asked {
        hook: hook.to_owned(),
        pushed: serde_json::from_slice(&body).unwrap(),
    })
}

/// Every ref of the push, for git to move.
pub fn fall_through(asked: &Asked) -> Line {
    let refs = asked.pushed.updates.iter();
    Line::FallThrough(refs.map(|update| update.ref_name.clone()).collect())
}

/// A verdict.
pub fn verdict(ref_name: &str, reason: Option<&str>) -> Line {
    Line::Verdict(Verdict {
        ref_name: ref_name.to_owned(),
        ok: reason.is_none(),
        reason: reason.map(str::to_owned),
    })
}

/// A line for the pusher.
pub fn say(text: &str) -> Line {
    Line::Say(text.to_owned())
}
