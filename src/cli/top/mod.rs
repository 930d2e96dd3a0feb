//! `teal top`: all environments, live. On a terminal a page that is drawn anew every second; elsewhere it is printed once.

mod frame;
mod rates;
mod terminal;

use super::client::{Client, named};
use super::failure::{CliError, Code};
use super::paint::Paint;
use super::screen::Screen;
use super::table::cell;
use crate::domain::Color;
use crate::report::{Line, Tone};
use crate::system::clock;
use crate::web::types::{Now, Status, Which};
use console::truncate_str;
use frame::View;
use rates::{Rate, Seen};
use serde::Serialize;
use std::time::Duration;
use terminal::{Key, Page};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often everything is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Where a terminal does not say how large it is.
const SIZE: (usize, usize) = (24, 80);

/// What is known at one moment.
struct Known {
    status: Status,
    now: Vec<Now>,
    at_ms: i64,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    status: &'a Status,
    now: &'a [Now],
    rates: Vec<EnvironmentRates>,
}

#[derive(Serialize)]
struct EnvironmentRates {
    env: String,
    blue: Option<Rate>,
    green: Option<Rate>,
}

/// Shows it until somebody quits, or once.
pub(super) async fn run(
    client: &Client,
    which: &Which,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    // Whatever is wrong with what was typed, or with the server, is said before the page opens.
    let known = look(client, which).await?;
    let mut seen = Seen::default();
    seen.add(&known.now);
    if screen.is_terminal() {
        return watch(client, which, screen, known, seen).await;
    }
    sleep(EVERY).await;
    let known = look(client, which).await?;
    seen.add(&known.now);
    once(&known, &seen, screen)
}

async fn look(client: &Client, which: &Which) -> Result<Known, CliError> {
    Ok(Known {
        status: client.get("status", &named(which)).await?,
        now: client.get("now", &named(which)).await?,
        at_ms: clock::now_ms(),
    })
}

fn once(known: &Known, seen: &Seen, screen: &mut Screen) -> Result<Code, CliError> {
    if screen.json {
        let rates = known
            .status
            .environments
            .iter()
            .map(|one| EnvironmentRates {
                env: one.env.to_string(),
                blue: seen.rate(&one.env, Color::Blue),
                green: seen.rate(&one.env, Color::Green),
            });
        return screen.document(&Printed {
            status: &known.status,
            now: &known.now,
            rates: rates.collect(),
        });
    }
    for line in lines(known, seen, SIZE.1, screen.paint()) {
        screen.say(line);
    }
    Ok(Code::Done)
}

/// The head and what is below it, painted and cut to the width.
fn lines(known: &Known, seen: &Seen, columns: usize, paint: Paint) -> Vec<String> {
    let view = View {
        status: &known.status,
        now: &known.now,
        seen,
        now_ms: known.at_ms,
    };
    let painted = |line: &[Line]| {
        let parts = line.iter().map(|part| paint.apply(part.tone, &part.text));
        truncate_str(parts.collect::<String>().trim_end(), columns, "…").into_owned()
    };
    let head = frame::head(&view, columns);
    let body = frame::body(&view, columns);
    std::iter::once(painted(&[head]))
        .chain(body.iter().map(|line| painted(line)))
        .collect()
}

async fn watch(
    client: &Client,
    which: &Which,
    screen: &Screen,
    known: Known,
    seen: Seen,
) -> Result<Code, CliError> {
    let local = |source| CliError::local("cannot use the terminal", source);
    let mut resized = signal(SignalKind::window_change()).map_err(local)?;
    let mut ends = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ]
    .into_iter()
    .map(signal)
    .collect::<Result<Vec<_>, _>>()
    .map_err(local)?;
    let page = Page::open().map_err(local)?;
    let mut keys = terminal::keys();
    let mut listening = true;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut live = Live {
        known,
        seen,
        trouble: None,
        top: 0,
        paint: screen.paint(),
    };
    loop {
        live.draw(&page).map_err(local)?;
        tokio::select! {
            _ = ticks.tick() => live.look(client, which).await,
            _ = resized.recv() => {}
            () = any(&mut ends) => return Ok(Code::Done),
            key = keys.recv(), if listening => match key {
                Some(Key::Quit) => return Ok(Code::Done),
                Some(Key::Up) => live.top = live.top.saturating_sub(1),
                Some(Key::Down) => live.top += 1,
                // Nobody can press anything any more; it can still be interrupted.
                None => listening = false,
            },
        }
    }
}

/// Waits for the first of these signals.
async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|context| {
        match signals
            .iter_mut()
            .any(|one| one.poll_recv(context).is_ready())
        {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}

/// The page as it moves on.
struct Live {
    known: Known,
    seen: Seen,
    /// Why what is shown is old.
    trouble: Option<String>,
    /// The first line that is shown below the head.
    top: usize,
    paint: Paint,
}

impl Live {
    async fn look(&mut self, client: &Client, which: &Which) {
        match look(client, which).await {
            Ok(known) => {
                self.seen.add(&known.now);
                self.known = known;
                self.trouble = None;
            }
            Err(error) => {
                let at = clock::local(self.known.at_ms);
                self.trouble = Some(format!("as of {at}: {error}"));
            }
        }
    }

    fn draw(&mut self, page: &Page) -> std::io::Result<()> {
        let size = console::Term::stdout().size_checked();
        let (rows, columns) = size.map_or(SIZE, |(rows, columns)| (rows.into(), columns.into()));
        let lines = lines(&self.known, &self.seen, columns, self.paint);
        let (head, body) = lines.split_at(1);
        let room = rows.saturating_sub(2);
        self.top = self.top.min(body.len().saturating_sub(room));
        let hidden = body.len().saturating_sub(self.top + room);
        let mut shown = head.to_vec();
        shown.extend(body.iter().skip(self.top).take(room).cloned());
        shown.resize(rows.saturating_sub(1), String::new());
        shown.push(self.foot(hidden, columns));
        page.show(&shown, columns)
    }

    fn foot(&self, hidden: usize, columns: usize) -> String {
        let line = match (&self.trouble, hidden) {
            (Some(trouble), _) => cell(Tone::Bad, trouble.clone()),
            (None, 0) => cell(Tone::Quiet, "q quits"),
            (None, hidden) => cell(
                Tone::Quiet,
                format!("{hidden} more lines below (arrows) · q quits"),
            ),
        };
        let text = self.paint.apply(line.tone, &line.text);
        truncate_str(&text, columns, "…").into_owned()
    }
}
