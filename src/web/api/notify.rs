use super::types::{NotifyTestRequest, TargetShown, TargetTested};
use crate::messenger;
use crate::pipeline::Tools;
use crate::report::{Memory, Target, targets};
use crate::store::outbox;
use crate::web::Refusal;
use crate::worker::Worker;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

/// Everybody who is told.
pub(super) async fn list(State(worker): State<Worker>) -> Result<Json<Vec<TargetShown>>, Refusal> {
    let tools = worker.tools();
    // Only names go to the database's thread: a connection to a mail server has to be closed on this side.
    let all: Vec<_> = { targets(&tools.server).into_iter() }
        .map(|target| (target.name, target.kind))
        .collect();
    let read = tools.journal.store().read(move |c| {
        let shown = all.into_iter().map(|(name, kind)| {
            Ok(TargetShown {
                waiting: outbox::count(c, &name)?,
                name,
                kind,
            })
        });
        shown.collect::<Result<Vec<_>, crate::store::StoreError>>()
    });
    Ok(Json(read.await.map_err(Refusal::internal)?))
}

/// Sends an example to one target or to all, and says what each answered.
pub(super) async fn test(
    State(worker): State<Worker>,
    Json(asked): Json<NotifyTestRequest>,
) -> Result<Json<Vec<TargetTested>>, Refusal> {
    let tools = worker.tools();
    let mut all = targets(&tools.server);
    if let Some(name) = &asked.target {
        let names: Vec<String> = all.iter().map(|target| target.name.clone()).collect();
        all.retain(|target| target.name == *name);
        if all.is_empty() {
            return Err(unknown(name, &names));
        }
    }
    if all.is_empty() {
        return Err(nobody());
    }
    let mut tested = Vec::new();
    for target in all {
        tested.push(one(tools, target).await?);
    }
    Ok(Json(tested))
}

async fn one(tools: &Tools, target: Target) -> Result<TargetTested, Refusal> {
    let news = messenger::example_for(tools, &target).await;
    let answer = match news.map_err(Refusal::internal)? {
        Some(news) => target.tell(&news, &Memory::none()).await,
        None => Err(crate::report::Refusal::later(
            "nothing was deployed yet: a forge needs a commit that it knows",
        )),
    };
    Ok(TargetTested {
        name: target.name,
        taken: answer.is_ok(),
        words: answer.unwrap_or_else(|refusal| refusal.words),
    })
}

fn unknown(name: &str, names: &[String]) -> Refusal {
    let shown: String = name.chars().take(80).flat_map(char::escape_debug).collect();
    let wrong = Refusal::mistake(format!("nobody is called `{shown}`"));
    match names {
        [] => wrong.next("add [[notify]] to teal.toml"),
        names => wrong.next(format!("one of: {}", names.join(", "))),
    }
}

fn nobody() -> Refusal {
    Refusal::new(StatusCode::CONFLICT, "nobody is told anything")
        .next("add [[notify]] to teal.toml, or a `token` to an app with a `forge`")
}
