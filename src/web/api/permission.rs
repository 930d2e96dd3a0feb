use crate::access::{AccessError, Permit, Want};
use crate::domain::{Act, Actor, EnvId, Role, role_in};
use crate::pipeline::Tools;
use crate::system::users;
use crate::web::visitor::how_to_get;
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

/// Lets nobody through but the server's own user and root.
pub(super) async fn only_owner(
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if peer.is_owner() {
        return Ok(next.run(request).await);
    }
    let own = users::own().name;
    Err(Refusal::new(
        StatusCode::FORBIDDEN,
        format!("this is for {own} and root alone"),
    )
    .next(format!(
        "run the command as one of them: sudo -u {own} teal …"
    )))
}

/// What somebody who came over the network lacks; on the socket there are no roles.
pub(super) fn lacking(peer: &Peer, actor: &Actor, act: Act, env: &EnvId) -> Option<AccessError> {
    let user = peer.user.as_ref()?;
    let role = match act {
        Act::Settings | Act::Secrets | Act::Run | Act::Destroy => Role::Admin,
        Act::Approve => Role::Approve,
        Act::Deploy
        | Act::Rollback
        | Act::Restart
        | Act::Cancel
        | Act::Maintenance
        | Act::Freeze => Role::Deploy,
    };
    (role_in(&user.rights, env) < Some(role)).then(|| AccessError::Denied {
        who: actor.name().to_owned(),
        what: act.to(env),
        why: how_to_get(&user.name, env, role),
    })
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
        door: peer.door(),
        act,
        env,
        about,
    };
    let limited = tools
        .environment(env)
        .is_some_and(|(_, env)| env.allow.is_some());
    let answer = if let Some(lacking) = lacking(peer, &actor, act, env) {
        Err(lacking)
    } else if limited || peer.is_owner() || peer.user.is_some() {
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
    if act == Act::Rollback && answer.is_ok() {
        // Even that somebody asked has to be written down.
        tools.make_way();
    }
    let permit = access.keep(want, answer).await?;
    Ok((actor, permit))
}
