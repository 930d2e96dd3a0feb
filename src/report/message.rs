//! The one place where what is told elsewhere is put into words. Each place makes its own form of a [`Message`], and
//! escapes all of it: whatever stands in here may be a stranger's.

use super::changed::changed;
use super::news::{News, Outcome};
use super::wording::{Tone, duration, one_line, receipt};
use crate::domain::{Deployment, Kind, Moment, State};

/// What is said of a turn of a deployment, without the form of any place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How it is meant.
    pub tone: Tone,
    /// The one sentence that everybody reads.
    pub title: String,
    /// What belongs to it, with what each is.
    pub facts: Vec<(&'static str, String)>,
    /// The last lines of an output.
    pub tail: Vec<String>,
    /// Where to read all of it.
    pub page: String,
}

/// A fact is cut to this many characters: the page has all of it.
const FACT: usize = 900;

/// Puts the news into words.
pub fn message(news: &News) -> Message {
    let deployment = &news.deployment;
    let mut facts = vec![("commit", commit(news))];
    if let Some(kind) = kind(deployment) {
        facts.push(("kind", kind));
    }
    facts.push(("by", one_line(&deployment.by, 60)));
    if let Some(failure) = &deployment.failure {
        facts.push(("cause", failure.cause.clone()));
        facts.push(("serving now", failure.serving.clone()));
    }
    if let Some(changes) = &news.changes {
        facts.extend(changed(changes));
    }
    if news.moment == Moment::Live {
        facts.push(("address", news.url.clone()));
        let cost = deployment.receipt.as_ref().map(receipt).unwrap_or_default();
        let cost: Vec<&str> = cost.iter().map(|line| line.text.trim()).collect();
        if let Some(cost) = cost.join(", ").strip_prefix("receipt") {
            facts.push(("receipt", cost.to_owned()));
        }
    }
    if let Some(next) = next(deployment) {
        facts.push(("next", next));
    }
    let tail = deployment.failure.as_ref().map(|why| why.tail.clone());
    Message {
        tone: tone(news.moment),
        title: title(news),
        facts: facts
            .into_iter()
            .map(|(what, text)| (what, one_line(text.trim(), FACT)))
            .collect(),
        tail: tail.unwrap_or_default(),
        page: news.page.clone(),
    }
}

/// The command that helps.
fn next(deployment: &Deployment) -> Option<String> {
    match &deployment.failure {
        Some(failure) => Some(failure.next.clone()),
        None if deployment.state == State::Approval => {
            let how = super::approval::how_to_answer(deployment.id);
            Some(how.text.trim().to_owned())
        }
        None => None,
    }
}

fn tone(moment: Moment) -> Tone {
    match moment {
        Moment::Live => Tone::Good,
        Moment::Failed | Moment::RolledBack => Tone::Bad,
        Moment::Superseded | Moment::Cancelled | Moment::Interrupted => Tone::Quiet,
        _ => Tone::Plain,
    }
}

fn title(news: &News) -> String {
    let (env, id) = (news.env(), news.deployment.id);
    let why = news
        .why
        .as_deref()
        .map(|why| format!(": {}", one_line(why, 200)));
    let why = why.unwrap_or_default();
    let took = news.took_ms().map(duration).unwrap_or_default();
    let step = news.step();
    let at = step.map_or_else(String::new, |step| format!(" at {step}"));
    let times = match news.repeats() {
        Some(heard) => format!(" ({} times in a row)", heard.count + 1),
        None => String::new(),
    };
    let text = match (news.moment, news.recovers()) {
        (Moment::Queued, _) => format!("{env}: deployment {id} waits for its turn"),
        (Moment::Waiting, _) if news.deployment.state == State::Approval => {
            format!("{env}: deployment {id} waits for approval{why}")
        }
        (Moment::Waiting, _) => format!("{env}: deployment {id} waits{why}"),
        (Moment::Started, _) if news.deployment.approval.is_some() => {
            format!("{env}: deployment {id} goes on{why}")
        }
        (Moment::Started, _) => format!("{env}: deployment {id} is on its way"),
        (Moment::Step, _) => match step {
            Some(step) => format!("{env}: deployment {id} is on its way: {step}"),
            None => format!("{env}: deployment {id} is on its way"),
        },
        (Moment::Live, None) => format!("{env}: deployment {id} is live after {took}"),
        (Moment::Live, Some(before)) => {
            let was = bad_times(before);
            format!("{env}: deployment {id} is live after {took}, all is well again after {was}")
        }
        (Moment::Failed, _) => format!("{env}: deployment {id} failed{at} after {took}{times}"),
        (Moment::RolledBack, _) => {
            format!("{env}: deployment {id} was rolled back{at} after {took}{times}")
        }
        (end, _) => format!("{env}: deployment {id} was {end}{why}"),
    };
    match news.test {
        true => format!("Only an example: {text}"),
        false => text,
    }
}

fn bad_times(before: &Outcome) -> String {
    let what = match before.moment.as_str() {
        "rolled_back" => ("a rollback", "rollbacks"),
        _ => ("a failure", "failures"),
    };
    match before.count {
        1 => format!("{} (deployment {})", what.0, before.first),
        count => format!("{count} {} (since deployment {})", what.1, before.first),
    }
}

fn commit(news: &News) -> String {
    let short = news.deployment.commit.short();
    match &news.subject {
        Some(subject) => format!("{short} \"{}\"", one_line(subject, 120)),
        None => short.to_owned(),
    }
}

fn kind(deployment: &Deployment) -> Option<String> {
    match &deployment.kind {
        Kind::Deploy => None,
        Kind::Restart => Some("restart".to_owned()),
        Kind::Rollback { backup: None } => Some("rollback".to_owned()),
        Kind::Rollback { backup: Some(name) } => Some(format!("rollback to {name}")),
        Kind::Promote { from, deployment } => {
            Some(format!("promotion of deployment {deployment} from {from}"))
        }
    }
}

/// The turn in at most so many characters: what a commit status has room for.
pub fn summary(news: &News, most: usize) -> String {
    let took = news.took_ms().map(duration).unwrap_or_default();
    let step = news.step().map(|step| format!(" at {step}"));
    let step = step.unwrap_or_default();
    let cause = news
        .deployment
        .failure
        .as_ref()
        .map(|why| format!(": {}", why.cause));
    let cause = cause.unwrap_or_default();
    let why = news
        .why
        .as_ref()
        .map(|why| format!(": {why}"))
        .unwrap_or_default();
    let text = match news.moment {
        Moment::Queued => "waits for its turn".to_owned(),
        Moment::Waiting if news.deployment.state == State::Approval => {
            format!("waits for approval{why}")
        }
        Moment::Waiting => format!("waits{why}"),
        Moment::Started | Moment::Step => "on its way".to_owned(),
        Moment::Live => format!("live after {took}"),
        Moment::Failed => format!("failed{step} after {took}{cause}"),
        Moment::RolledBack => format!("rolled back{step} after {took}{cause}"),
        end => format!("{end}{why}"),
    };
    one_line(&text, most.saturating_sub(1))
}
