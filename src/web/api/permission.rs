use crate::access::{AccessError, Permit, Want};
use crate::domain::{Act, Actor, EnvId, Origin};
use crate::pipeline::Tools;
use crate::system::users;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

/// The socket's mode lets the server's group in. What is behind it is for the server's own user and root, and for the
/// people of the configuration: they may look at everything but secrets, and do what an `allow` lets them.
pub(super) async fn only_known(
    State(worker): State<Worker>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let actor = worker.tools().access().whois(peer.account());
    if peer.is_owner() || actor.person.is_some() {
        return Ok(next.run(request).await);
    }
    let own = users::own().name;
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        format!("{} may not command this server", peer.name),
    )
    .next(format!(
        "run the command as {own} or root: sudo -u {own} teal …"
    )))
}

/// Lets the peer do something to an environment, or says why not; either is in the audit trail then.
pub(super) async fn permit(
    tools: &Tools,
    peer: &Peer,
    act: Act,
    env: &EnvId,
    about: &str,
) -> Result<(Actor, Permit), Refusal> {
    let access = tools.access();
    let actor = access.whois(peer.account());
    let want = Want {
        actor: &actor,
        door: Origin::Cli,
        act,
        env,
        about,
    };
    let limited = tools
        .environment(env)
        .is_some_and(|(_, env)| env.allow.is_some());
    let answer = if limited || peer.is_owner() {
        access.may(&actor, act, env)
    } else {
        Err(AccessError::Denied {
            who: actor.name().to_owned(),
            what: act.to(env),
            why: format!(
                "you are {actor}; {env} has no `allow`, so only {} and root may",
                users::own().name
            ),
        })
    };
    let permit = access.keep(want, answer).await?;
    Ok((actor, permit))
}
