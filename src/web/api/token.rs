//! Scripts come in over the network with a token in the header that browsers never fill in by themselves.

use crate::store::users;
use crate::system::clock;
use crate::web::attempts::{Attempts, From};
use crate::web::visitor::digest;
use crate::web::{Peer, Refusal};
use crate::worker::Worker;
use axum::Extension;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;

/// The last use of a token is kept to the hour: reading should not write all the time.
const HOUR_MS: i64 = 3600 * 1000;

/// Lets requests through that show a good token, as the peer whose rights it has.
pub(super) async fn by_token(
    State(worker): State<Worker>,
    Extension(attempts): Extension<Attempts>,
    from: From,
    mut request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let Some(shown) = bearer(&request) else {
        return Err(
            Refusal::new(StatusCode::UNAUTHORIZED, "over the network the API needs a token")
                .next("send `Authorization: Bearer TOKEN`; on the server: teal user token add NAME --for WORDS"),
        );
    };
    attempts.check(&from)?;
    let (key, now) = (digest(&shown), clock::now_ms());
    let store = worker.tools().journal.store();
    let found = store.read(move |c| users::token(c, &key)).await;
    let Some((token, user)) = found.map_err(Refusal::internal)? else {
        attempts.failed(&from);
        return Err(
            Refusal::new(StatusCode::UNAUTHORIZED, "this token is not known")
                .next("on the server: teal user list shows the tokens that are"),
        );
    };
    if token.used_ms.is_none_or(|used| now - used > HOUR_MS) {
        let used = store.write(move |c| users::used(c, token.id, now));
        used.await.map_err(Refusal::internal)?;
    }
    request
        .extensions_mut()
        .insert(ConnectInfo(Peer::user(user)));
    Ok(next.run(request).await)
}

fn bearer(request: &Request) -> Option<String> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim().to_owned())
}
