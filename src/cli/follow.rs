//! A deployment as it happens: what `deploy`, `rollback`, `restart` and `env` show after they have asked.

use super::client::Client;
use super::failure::{CliError, Code};
use super::live::Live;
use super::screen::Screen;
use super::table::plain;
use crate::domain::{Deployment, DeploymentId, Event, Record, State};
use crate::report;
use crate::system::clock;
use crate::web::types::{Begun, DeploymentShown, Told};
use std::time::{Duration, Instant};

/// How long a server that went away is waited for: a restart takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// Shows what was begun until it ends, or says how to look at it.
pub(super) async fn begun(
    client: &Client,
    begun: Begun,
    detach: bool,
    screen: &mut Screen,
) -> Result<Code, CliError> {
    if !detach {
        return follow(client, begun.id, screen).await;
    }
    if screen.json {
        return screen.document(&begun);
    }
    screen.say(format!(
        "deployment {id} of {} has begun; look at it with: teal logs {id} -f",
        begun.env,
        id = begun.id
    ));
    Ok(Code::Done)
}

async fn follow(client: &Client, id: DeploymentId, screen: &mut Screen) -> Result<Code, CliError> {
    let mut story = Story::new(id);
    let ended = tokio::select! {
        ended = to_the_end(client, &mut story, screen) => ended,
        _ = tokio::signal::ctrl_c() => {
            story.live.end();
            screen.aside(&format!("\ndetached: deployment {id} goes on; look again with: teal logs {id} -f"));
            return Ok(Code::Detached);
        }
    };
    story.live.end();
    Ok(match ended? {
        _ if story.is_rejected => Code::Refused,
        // What is held back goes on by itself; nobody has to wait for it here.
        State::Live | State::Waiting => Code::Done,
        _ => Code::Failed,
    })
}

/// Looks until the deployment has ended. A server that restarts meanwhile is waited for: it finishes, undoes or takes up
/// again what it had begun, and tells the whole story once more.
async fn to_the_end(
    client: &Client,
    story: &mut Story,
    screen: &mut Screen,
) -> Result<State, CliError> {
    let mut gone_since: Option<Instant> = None;
    loop {
        let heard = story.heard;
        let error = match watch(client, story, screen).await {
            Ok(state) => return Ok(state),
            Err(error) if error.may_pass() => error,
            Err(error) => return Err(error),
        };
        story.live.end();
        if story.heard > heard {
            gone_since = None;
        }
        match gone_since {
            None => {
                gone_since = Some(Instant::now());
                screen.aside("  - the server went away; waiting until it is back");
            }
            Some(since) if since.elapsed() > PATIENCE => return Err(error),
            Some(_) => {}
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

async fn watch(client: &Client, story: &mut Story, screen: &mut Screen) -> Result<State, CliError> {
    let path = format!("deployments/{}/events", story.id);
    let mut lines = client.stream(&path, &[]).await?;
    while let Some(line) = lines.line().await? {
        let told = serde_json::from_slice(&line).map_err(|error| CliError::Answer {
            asked: format!("GET {path}"),
            why: error.to_string(),
        })?;
        if let Some(state) = story.tell(told, screen)? {
            return Ok(state);
        }
    }
    Err(CliError::Cut("the deployment has not ended".to_owned()))
}

/// What has been told so far, so that nothing is told twice.
struct Story {
    id: DeploymentId,
    url: String,
    is_introduced: bool,
    last_seq: i64,
    /// Whether somebody said no to it.
    is_rejected: bool,
    /// How many lines the server has sent.
    heard: u64,
    live: Live,
}

impl Story {
    fn new(id: DeploymentId) -> Story {
        Story {
            id,
            url: String::new(),
            is_introduced: false,
            last_seq: 0,
            is_rejected: false,
            heard: 0,
            live: Live::default(),
        }
    }

    /// Tells what is new; the state in which it ended, once it has.
    fn tell(&mut self, told: Told, screen: &mut Screen) -> Result<Option<State>, CliError> {
        self.heard += 1;
        if let Told::Ended(deployment) = &told {
            let answer = deployment.approval.as_ref();
            let answer = answer.and_then(|asked| asked.answer.as_ref());
            self.is_rejected = answer.is_some_and(|one| !one.approved && one.by.is_some());
        }
        if screen.json {
            return self.pass_on(told, screen);
        }
        match told {
            Told::Shown(shown) => {
                let deployment = shown.deployment.clone();
                self.introduce(*shown, screen);
                if deployment.state == State::Waiting {
                    screen.line(&report::held_back(&deployment));
                    return Ok(Some(State::Waiting));
                }
            }
            Told::Event(record) => self.event(&record, screen),
            Told::Ended(deployment) => return Ok(Some(self.end(&deployment, screen))),
        }
        Ok(None)
    }

    fn pass_on(&mut self, told: Told, screen: &mut Screen) -> Result<Option<State>, CliError> {
        let is_new = match &told {
            Told::Shown(shown) => {
                // A second introduction holds what was missed meanwhile.
                for record in &shown.events {
                    let is_missed = self.is_introduced && self.is_new(record);
                    self.last_seq = self.last_seq.max(record.seq);
                    if is_missed {
                        screen.record(&Told::Event(record.clone()))?;
                    }
                }
                !std::mem::replace(&mut self.is_introduced, true)
            }
            Told::Event(record) => {
                let is_new = self.is_new(record);
                self.last_seq = self.last_seq.max(record.seq);
                is_new
            }
            Told::Ended(_) => true,
        };
        if is_new {
            screen.record(&told)?;
        }
        Ok(match told {
            Told::Ended(deployment) => Some(deployment.state),
            Told::Shown(shown) if shown.deployment.state == State::Waiting => Some(State::Waiting),
            _ => None,
        })
    }

    fn is_new(&self, record: &Record) -> bool {
        record.seq > self.last_seq
    }

    fn introduce(&mut self, shown: DeploymentShown, screen: &mut Screen) {
        if !self.is_introduced {
            screen.line(&plain(report::headline(
                &shown.deployment,
                shown.subject.as_deref(),
            )));
            self.is_introduced = true;
            self.wait(shown.deployment.state, screen);
        }
        self.url = shown.url;
        for record in &shown.events {
            self.event(record, screen);
        }
    }

    fn event(&mut self, record: &Record, screen: &mut Screen) {
        if !self.is_new(record) {
            return;
        }
        self.last_seq = record.seq;
        match &record.event {
            Event::StepStarted { step } => {
                let passed = clock::now_ms().saturating_sub(record.at_ms);
                let since = Duration::from_millis(u64::try_from(passed).unwrap_or(0));
                self.live.begin(screen, step.as_str(), since);
            }
            Event::StepEnded { .. } | Event::Failed(_) => self.live.end(),
            Event::State { to, .. } => self.wait(*to, screen),
            _ => {}
        }
        for line in report::line(&record.event) {
            self.live.say(screen, &line);
        }
        if matches!(
            &record.event,
            Event::State {
                to: State::Approval,
                ..
            }
        ) {
            self.live.say(screen, &report::how_to_answer(self.id));
        }
    }

    /// Shows what is waited for before the first step.
    fn wait(&mut self, state: State, screen: &mut Screen) {
        if matches!(state, State::Waiting | State::Queued | State::Approval) {
            self.live.begin(screen, state.as_str(), Duration::ZERO);
        }
    }

    fn end(&mut self, deployment: &Deployment, screen: &mut Screen) -> State {
        self.live.end();
        screen.line(&report::ending(deployment, &self.url));
        deployment.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;
    use crate::cli::screen::Paper;
    use crate::domain::{Spent, Step, StepEnd};

    fn record(seq: i64, event: Event) -> Record {
        Record {
            seq,
            deployment: 42,
            at_ms: samples::NOW,
            event,
        }
    }

    fn ran(seq: i64, step: Step, ms: u64) -> Record {
        let why = String::new();
        let end = StepEnd::Ran;
        let spent = Spent::default();
        record(
            seq,
            Event::StepEnded {
                step,
                end,
                why,
                ms,
                spent,
            },
        )
    }

    fn shown(events: Vec<Record>) -> Told {
        Told::Shown(Box::new(DeploymentShown {
            deployment: samples::deployment(42, "arq/production", State::Running),
            subject: Some("Fix the login form".to_owned()),
            url: "https://arq-ai.ru".to_owned(),
            page: "http://127.0.0.1:9000/deployments/42".to_owned(),
            changes: None,
            events,
        }))
    }

    fn tell(json: bool, story: Vec<Told>) -> (String, Option<State>) {
        let paper = Paper::default();
        let mut screen = paper.screen(json);
        let mut teller = Story::new(42);
        let mut state = None;
        for told in story {
            state = teller.tell(told, &mut screen).unwrap();
        }
        (paper.text(), state)
    }

    fn interrupted_story() -> Vec<Told> {
        let mut live = samples::deployment(42, "arq/production", State::Live);
        live.switched_ms = Some(live.created_ms + 12_400);
        vec![
            shown(vec![ran(7, Step::Fetch, 120)]),
            Told::Event(record(8, Event::StepStarted { step: Step::Build })),
            // The server restarts here, and tells everything from the beginning.
            shown(vec![ran(7, Step::Fetch, 120), ran(9, Step::Build, 3210)]),
            Told::Event(ran(9, Step::Build, 3210)),
            Told::Event(ran(10, Step::Switch, 4)),
            Told::Ended(Box::new(live)),
        ]
    }

    #[test]
    fn a_story_that_is_told_again_is_shown_once() {
        let (text, state) = tell(false, interrupted_story());
        assert_eq!(state, Some(State::Live));
        insta::assert_snapshot!(text, @r#"
        deployment 42 of arq/production: 1a2b3c4d5 "Fix the login form" by ada
          fetch       120 ms
          build        3.2 s
          switch        4 ms
        LIVE: https://arq-ai.ru (deployment 42, push to live 12.4 s)
        "#);
    }

    #[test]
    fn a_program_gets_each_line_once_as_json() {
        let (text, _) = tell(true, interrupted_story());
        let kinds: Vec<String> = text
            .lines()
            .map(|line| {
                let told: serde_json::Value = serde_json::from_str(line).unwrap();
                told.as_object().unwrap().keys().next().unwrap().clone()
            })
            .collect();
        assert_eq!(kinds, ["shown", "event", "event", "event", "ended"]);
    }
}
