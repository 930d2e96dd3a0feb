//! The refs have not moved. The server says of each whether git shall move it (*report*), whether the server has moved it
//! after a good deployment (*gate*), or why it stays where it is.

use crate::key::limits;
use crate::pkt;
use crate::pusher::{Ear, Pusher, WAITS};
use crate::server::{Answer, Home, NoAnswer};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::time::Duration;
use teal::domain::PushOptions;
use teal::intake::gates;
use teal::intake::hook_protocol::{DEPLOY_REFS, Line, Pushed, Update};
use teal::keys::USER;
use teal::system::process;

/// How long a server may take to say anything at all; from its first word on it may take as long as it needs.
const PATIENCE: Duration = Duration::from_secs(15);

/// What git is told of one ref.
enum Fate {
    Done,
    FallThrough,
    Rejected(String),
}

/// What git asks.
struct Asked {
    names: Vec<Vec<u8>>,
    updates: Vec<Update>,
    options: Vec<String>,
    is_atomic: bool,
}

pub fn run(pusher: &mut Pusher) -> io::Result<()> {
    let home = Home::find()?;
    let mut stdout = io::stdout().lock();
    let asked = Asked::read(&mut io::stdin().lock(), &mut stdout)?;
    let mut fates = decide(pusher, &home, asked.updates, asked.options, asked.is_atomic)?;
    let mut report = Vec::new();
    for name in asked.names {
        let fate = std::str::from_utf8(&name)
            .ok()
            .and_then(|name| fates.remove(name));
        let tell = |word: &str, rest: &str| [word.as_bytes(), &name, rest.as_bytes()].concat();
        match fate {
            Some(Fate::Done) => report.push(tell("ok ", "")),
            Some(Fate::FallThrough) => {
                report.push(tell("ok ", ""));
                report.push(b"option fall-through".to_vec());
            }
            Some(Fate::Rejected(why)) => report.push(tell("ng ", &format!(" {}", one_line(&why)))),
            None => report.push(tell("ng ", " the name of the ref is not UTF-8")),
        }
    }
    pkt::write_list(&mut stdout, &report)
}

impl Asked {
    fn read(from: &mut impl Read, to: &mut impl Write) -> io::Result<Asked> {
        let greeting = pkt::read_list(from)?;
        let greeting = greeting.first().map(Vec::as_slice).unwrap_or_default();
        let Some(features) = greeting.strip_prefix(b"version=1") else {
            return Err(io::Error::other(
                "git speaks another version of proc-receive than 1",
            ));
        };
        let features = String::from_utf8_lossy(features);
        let has = |word: &&str| features.split([' ', '\0']).any(|feature| feature == *word);
        // Only what git offered is taken up: git sends a list of options to whoever says that it reads one.
        let taken: Vec<&str> = ["push-options", "atomic"].into_iter().filter(has).collect();
        let answer = format!("version=1\0{}", taken.join(" "));
        pkt::write_list(to, &[answer.into_bytes()])?;
        let commands = pkt::read_list(from)?;
        let options = if has(&"push-options") {
            pkt::read_list(from)?
        } else {
            Vec::new()
        };
        Ok(Asked {
            names: commands.iter().map(|line| ref_of(line).to_vec()).collect(),
            updates: commands
                .iter()
                .filter_map(|line| Update::read(line))
                .collect(),
            options: options
                .iter()
                .map(|option| String::from_utf8_lossy(option).into_owned())
                .collect(),
            is_atomic: has(&"atomic"),
        })
    }
}

fn ref_of(command: &[u8]) -> &[u8] {
    command.splitn(3, |b| *b == b' ').nth(2).unwrap_or_default()
}

fn decide(
    pusher: &mut Pusher,
    home: &Home,
    updates: Vec<Update>,
    options: Vec<String>,
    is_atomic: bool,
) -> io::Result<HashMap<String, Fate>> {
    let names: Vec<String> = updates
        .iter()
        .map(|update| update.ref_name.clone())
        .collect();
    let pushed = Pushed {
        app: home.app.clone(),
        options,
        updates,
        user: std::env::var(USER).ok(),
        only: limits(),
        atomic: is_atomic,
        id: process::unique(),
    };
    let waits = || {
        pusher.say(WAITS);
    };
    match home.ask("proc-receive", &pushed, PATIENCE, waits) {
        Ok(answer) => hear(pusher, home, answer, names, &pushed.options),
        Err(NoAnswer::Refused(why)) => Ok(names
            .into_iter()
            .map(|name| (name, Fate::Rejected(why.clone())))
            .collect()),
        Err(NoAnswer::Down) => Ok(without_server(
            home,
            names,
            &pushed.options,
            "Teal is not running here",
        )),
        Err(NoAnswer::Silent) => Ok(without_server(
            home,
            names,
            &pushed.options,
            "Teal does not answer",
        )),
        Err(NoAnswer::Unusable(why)) => Ok(without_server(home, names, &pushed.options, &why)),
    }
}

/// The server's word on each ref. A pusher who reads slowly is no longer told the steps, yet still gets the outcome. A server
/// that dies while it speaks has not answered for the rest: those land that land without a server.
fn hear(
    pusher: &mut Pusher,
    home: &Home,
    answer: Answer,
    mut names: Vec<String>,
    options: &[String],
) -> io::Result<HashMap<String, Fate>> {
    let mut fates = HashMap::new();
    let mut died = false;
    for line in answer {
        match line {
            Ok(Line::Say(text)) => {
                if pusher.say(&text) == Ear::Gone {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
            Ok(Line::LookAgain(command)) => pusher.may_look_again_with(command),
            Ok(Line::FallThrough(refs)) => {
                fates.extend(refs.into_iter().map(|name| (name, Fate::FallThrough)));
            }
            Ok(Line::Verdict(verdict)) => {
                let fate = match verdict.reason {
                    _ if verdict.ok => Fate::Done,
                    Some(why) => Fate::Rejected(why),
                    None => Fate::Rejected("Teal rejected it".to_owned()),
                };
                fates.insert(verdict.ref_name, fate);
            }
            Ok(Line::Done) => {}
            Err(_) => died = true,
        }
    }
    names.retain(|name| !fates.contains_key(name));
    let why = "Teal stopped before it said how this ended";
    if died {
        let without = without_server(home, names.clone(), options, why);
        let land = without.into_iter();
        fates.extend(land.filter(|(_, fate)| matches!(fate, Fate::FallThrough)));
    }
    for name in names {
        let unknown = || Fate::Rejected(format!("{why}; {}, then push again", pusher.look_again()));
        fates.entry(name).or_insert_with(unknown);
    }
    Ok(fates)
}

/// What holds while the server is down: *report* lands and is deployed later, *gate*, bare wishes to deploy and what only
/// the server can answer are rejected.
fn without_server(
    home: &Home,
    names: Vec<String>,
    options: &[String],
    why: &str,
) -> HashMap<String, Fate> {
    if limits().is_some() {
        // What a limited key may push to, only the server can say.
        let rejected = |name| {
            (
                name,
                Fate::Rejected(format!("{why}: start it and push again")),
            )
        };
        return names.into_iter().map(rejected).collect();
    }
    let refused = match PushOptions::parse(options.iter().map(String::as_str)) {
        Ok(asked) if asked.plan => Some(format!("{why}: start it to see a plan")),
        Ok(_) => None,
        Err(mistake) => Some(mistake),
    };
    let gates = std::fs::read_to_string(home.repository.join(gates::FILE));
    let is_gated = |name: &str| match &gates {
        Ok(text) => gates::is_gated(text, name),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    names
        .into_iter()
        .map(|name| {
            let fate = if let Some(why) = &refused {
                Fate::Rejected(why.clone())
            } else if name.starts_with(DEPLOY_REFS) {
                Fate::Rejected(format!("{why}: start it and push again"))
            } else if is_gated(&name) {
                Fate::Rejected(format!(
                    "{why}; this environment is gated: start it and push again"
                ))
            } else {
                Fate::FallThrough
            };
            (name, fate)
        })
        .collect()
}

/// A reason as git takes it: on one line.
fn one_line(why: &str) -> String {
    why.chars()
        .take(500)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
