//! What git runs in Teal's bare repositories. Each hook there is a link to this one program, and the link's name says
//! which hook it is. It hands the push to the server and shows the pusher what the server says; it decides nothing that
//! the server could decide, and a deployment never depends on it staying alive.
//!
//! - `post_receive`: the refs have moved; watch what becomes of them.
//! - `proc_receive`: the refs have not moved; ask whether they may.
//! - `key`: what ssh runs for a limited key (`teal key add`).
//! - `server`: the connection. `pusher`: the terminal at the far end. `pkt`: git's framing.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod key;
#[cfg(test)]
#[path = "../src/noise.rs"]
mod noise;
mod pkt;
mod post_receive;
mod proc_receive;
mod pusher;
mod server;

use pusher::Pusher;
use std::path::Path;
use std::process::ExitCode;
use teal::keys::WORD;

fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    let hook = Path::new(&called).file_name().unwrap_or_default();
    let words: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut pusher = Pusher::at_stderr();
    let done = match hook.to_str() {
        Some("post-receive") => post_receive::run(&mut pusher),
        Some("proc-receive") => proc_receive::run(&mut pusher),
        _ if words.first().is_some_and(|word| word == WORD) => Err(key::run(&words)),
        _ => Err(std::io::Error::other(
            "git runs this program as post-receive or proc-receive, by links of these names in a repository's hooks/",
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            pusher.say(&format!("teal-hook: {error}"));
            ExitCode::FAILURE
        }
    }
}
