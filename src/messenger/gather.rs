//! The facts of one turn, gathered when it is told: what is told late says what is known then.

use crate::changes;
use crate::domain::{Deployment, EnvId, Event, Moment, Record, State};
use crate::pipeline::Tools;
use crate::report::{self, Memory, News, Outcome, Refusal, StepTold, ending, headline};
use crate::store::outbox::Letter;
use crate::store::{StoreError, deployments, events};
use std::sync::Arc;

/// What the memory of a target files its knowledge of an environment under.
pub(super) fn environment(env: &EnvId) -> String {
    format!("environment {env}")
}

/// The news that a letter stands for; nothing, when its deployment is unknown.
pub(super) async fn news(
    tools: &Arc<Tools>,
    letter: &Letter,
    memory: &Memory,
) -> Result<Option<News>, StoreError> {
    let id = letter.deployment;
    let read = tools.journal.store().read(move |c| {
        let Some(deployment) = deployments::get(c, id)? else {
            return Ok(None);
        };
        let before = deployments::newest(c, Some(&deployment.env), 100)?;
        Ok(Some((deployment, events::after(c, id, 0)?, before)))
    });
    let Some((deployment, records, history)) = read.await? else {
        return Ok(None);
    };
    let heard = memory.recall(environment(&deployment.env)).await;
    let heard = heard.map_err(|refusal: Refusal| StoreError::Content(refusal.words))?;
    let moment = letter.moment;
    let again = letter.tries > 0;
    let tools = Arc::clone(tools);
    // Git reads files, which may take its time in a large repository.
    let written = move || {
        let earlier: Vec<&Deployment> = history.iter().filter(|one| one.id < id).collect();
        let url = tools.url(&deployment.env);
        let subject = tools.subject(&deployment.env.app, &deployment.commit);
        let wrong = matches!(moment, Moment::Failed | Moment::RolledBack);
        let good = earlier.iter().find(|one| one.state == State::Live);
        let good = good.filter(|_| wrong || deployment.state == State::Approval);
        let changes = good.and_then(|good| changes::between(&tools, good, &deployment, &records));
        News {
            moment,
            story: story(&deployment, &records, subject.as_deref(), &url),
            steps: steps(&records),
            why: why(&records),
            changes,
            heard,
            before: before(&earlier),
            again,
            test: false,
            page: tools.page(id),
            subject,
            url,
            deployment,
        }
    };
    match tokio::task::spawn_blocking(written).await {
        Ok(news) => Ok(Some(news)),
        Err(error) => Err(StoreError::Content(error.to_string())),
    }
}

/// An example about an environment of this server, for a target that asks for one. A forge needs a commit that it knows.
pub async fn example_for(
    tools: &Tools,
    target: &report::Target,
) -> Result<Option<News>, StoreError> {
    let mut all = tools.server.environments().map(|env| &env.id);
    let Some(env) = all.find(|env| target.hears_of(env)).cloned() else {
        return Ok(None);
    };
    let id = env.clone();
    let read = tools
        .journal
        .store()
        .read(move |c| deployments::newest(c, Some(&id), 1));
    let newest = read.await?.into_iter().next();
    let Ok(mut news) = report::example(&env, &tools.url(&env), &tools.page(42)) else {
        return Ok(None);
    };
    if target.is_forge() {
        let Some(newest) = newest else {
            return Ok(None);
        };
        news.deployment.commit = newest.commit;
    }
    Ok(Some(news))
}

fn steps(records: &[Record]) -> Vec<StepTold> {
    let mut steps: Vec<StepTold> = Vec::new();
    for record in records {
        match &record.event {
            Event::StepStarted { step } => steps.push(StepTold {
                step: *step,
                end: None,
                ms: 0,
            }),
            Event::StepEnded { step, end, ms, .. } => {
                if let Some(told) = steps.iter_mut().rfind(|told| told.step == *step) {
                    told.end = Some(*end);
                    told.ms = *ms;
                }
            }
            _ => {}
        }
    }
    steps
}

fn why(records: &[Record]) -> Option<String> {
    let states = records.iter().rev().find_map(|record| match &record.event {
        Event::State { why, .. } => Some(why.clone()),
        _ => None,
    });
    states.flatten()
}

fn story(
    deployment: &Deployment,
    records: &[Record],
    subject: Option<&str>,
    url: &str,
) -> Vec<String> {
    let mut lines = vec![headline(deployment, subject)];
    let told = records
        .iter()
        .flat_map(|record| report::line(&record.event));
    lines.extend(told.map(|line| line.text));
    if deployment.state.is_final() {
        lines.push(ending(deployment, url).text);
    }
    lines
}

/// How the deployments before this one ended, as far as they have the same end.
fn before(earlier: &[&Deployment]) -> Option<Outcome> {
    let word = |state: State| match state {
        State::Live | State::Failed | State::RolledBack => Some(state.as_str()),
        _ => None,
    };
    let mut ended = earlier
        .iter()
        .filter_map(|one| Some((word(one.state)?, one.id)));
    let (moment, id) = ended.next()?;
    let mut outcome = Outcome {
        moment: moment.to_owned(),
        first: id,
        count: 1,
    };
    for (_, id) in ended.take_while(|(other, _)| *other == moment) {
        outcome.first = id;
        outcome.count += 1;
    }
    Some(outcome)
}
