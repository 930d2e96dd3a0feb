use super::*;
use crate::cli::failure::Code;
use crate::web::types::Begun;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// A server that gives this answer to the first request, and tells what the request was.
struct Once {
    client: Client,
    asked: JoinHandle<String>,
    _state: tempfile::TempDir,
}

impl Once {
    fn answers(answer: &'static str) -> Once {
        let state = tempfile::tempdir().unwrap();
        // Longer than the kernel takes in a socket's address.
        let path = state.path().join("s".repeat(120)).join(SOCKET);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let listener = socket::bind(&path).unwrap();
        Once {
            client: Client {
                socket: path,
                config: "teal.toml".into(),
            },
            asked: std::thread::spawn(move || answer_one(&listener, answer)),
            _state: state,
        }
    }

    fn asked(self) -> String {
        self.asked.join().unwrap()
    }
}

fn answer_one(listener: &UnixListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut from = BufReader::new(stream.try_clone().unwrap());
    let (mut asked, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if asked.is_empty() {
            asked = line.trim().to_owned();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).unwrap();
    stream.write_all(answer.as_bytes()).unwrap();
    format!("{asked} {}", String::from_utf8(body).unwrap())
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    crate::cli::runtime().unwrap().block_on(future)
}

#[test]
fn a_question_is_encoded_and_its_answer_read() {
    let server = Once::answers("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n[1, 2]");
    let query = [("env", Some("a b/c&d")), ("app", None)];
    let numbers: Vec<u8> = wait(server.client.get("backups", &query)).unwrap();
    assert_eq!(numbers, [1, 2]);
    assert_eq!(
        server.asked(),
        "GET /api/v1/backups?env=a+b%2Fc%26d HTTP/1.1 "
    );
}

#[test]
fn a_wish_is_sent_as_json() {
    let server = Once::answers("HTTP/1.1 204 No Content\r\n\r\n");
    let which = Which {
        env: "production".to_owned(),
        app: None,
    };
    let _: serde_json::Value = wait(server.client.post("restart", &which)).unwrap();
    assert_eq!(
        server.asked(),
        r#"POST /api/v1/restart HTTP/1.1 {"env":"production"}"#
    );
}

#[test]
fn a_refusal_keeps_its_words_and_its_status() {
    let server = Once::answers(
        "HTTP/1.1 409 Conflict\r\ncontent-length: 38\r\n\r\n{\"error\":\"it is locked\",\"next\":\"wait\"}",
    );
    let error = wait(server.client.post::<Begun>("restart", &())).unwrap_err();
    assert_eq!(error.code(), Code::Refused);
    assert_eq!(
        (error.to_string().as_str(), error.next().as_deref()),
        ("it is locked", Some("wait"))
    );
}

#[test]
fn lines_that_arrive_in_pieces_are_put_together() {
    let server = Once::answers(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\non\n\r\n4\r\n\n\ntw\r\n4\r\no\nth\r\n3\r\nree\r\n0\r\n\r\n",
    );
    let lines = wait(async {
        let mut stream = server.client.stream("deployments/1/events", &[]).await?;
        let mut lines = Vec::new();
        while let Some(line) = stream.line().await? {
            lines.push(line);
        }
        Ok::<_, CliError>(lines)
    });
    assert_eq!(lines.unwrap(), ["on", "two", "three"]);
}

#[test]
fn an_answer_that_breaks_off_is_no_end() {
    let server =
        Once::answers("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\none\n\r\n");
    let error = wait(async {
        let mut stream = server.client.stream("deployments/1/events", &[]).await?;
        assert_eq!(stream.line().await?.as_deref(), Some(&b"one"[..]));
        stream.line().await
    });
    let error = error.unwrap_err();
    assert!(error.may_pass(), "{error}");
    assert_eq!(error.code(), Code::Unreachable);
}

#[test]
fn an_answer_in_other_words_is_not_taken_for_done() {
    let server = Once::answers("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let error = wait(server.client.post::<Begun>("restart", &())).unwrap_err();
    assert_eq!(error.code(), Code::Failed);
    assert!(
        error
            .to_string()
            .starts_with("the server's answer to POST restart"),
        "{error}"
    );
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let state = tempfile::tempdir().unwrap();
    let client = Client {
        socket: state.path().join("teal.sock"),
        config: "teal.toml".into(),
    };
    let error = wait(client.get::<Vec<u8>>("status", &[])).unwrap_err();
    assert_eq!(error.code(), Code::Unreachable);
}
