//! Who is at the door of the TCP address: somebody who signed in, or a stranger.

use super::Refusal;
use crate::domain::{EnvId, Role, role_in};
use crate::store::users::{self, User};
use crate::system::clock;
use crate::worker::Worker;
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

/// The cookie that holds a session's secret.
pub(super) const COOKIE_NAME: &str = "teal_session";
/// How long a session lasts after it was last used.
pub(super) const SESSION_MS: i64 = 14 * 24 * 3600 * 1000;
/// A session that is used is extended when it has lost this much.
const EXTEND_MS: i64 = 24 * 3600 * 1000;

/// Somebody at the door.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Who, when they signed in.
    pub user: Option<User>,
    /// The session's secret.
    secret: Option<String>,
    /// Whether strangers may see how environments stand.
    public: bool,
}

impl Visitor {
    /// Whether they may see that the environment exists and how it stands: without output, plans and causes.
    pub fn sees_outline(&self, env: &EnvId) -> bool {
        self.public || self.may(env, Role::Look)
    }

    /// Whether they have at least this role in the environment.
    pub fn may(&self, env: &EnvId, role: Role) -> bool {
        let own = self.user.as_ref();
        own.and_then(|user| role_in(&user.rights, env)) >= Some(role)
    }

    /// Whether they may see any page at all.
    pub fn is_let_in(&self) -> bool {
        self.public || self.user.is_some()
    }

    /// The name that their acts are told by.
    pub fn name(&self) -> &str {
        self.user.as_ref().map_or("", |user| &user.name)
    }

    /// What the session is found by.
    pub fn session_key(&self) -> Option<String> {
        self.secret.as_deref().map(digest)
    }

    /// What their forms have to bring along. It is made from the session's secret, so it lasts as long and nobody else
    /// can know it; the secret cannot be told from it.
    pub fn form_token(&self) -> String {
        let secret = self.secret.as_deref().unwrap_or_default();
        digest(&format!("form:{secret}"))
    }

    /// Refuses a form that was not on a page of this session.
    pub fn check_form(&self, token: &str) -> Result<(), Refusal> {
        let fits = self.secret.is_some() && same(&self.form_token(), token);
        fits.then_some(()).ok_or_else(|| {
            Refusal::new(
                StatusCode::FORBIDDEN,
                "this form is of another session: nothing was done",
            )
            .next("load the page again, and send it from there")
        })
    }

    /// Refuses an act that is beyond their role.
    pub fn need(&self, env: &EnvId, role: Role) -> Result<(), Refusal> {
        match (&self.user, self.may(env, role)) {
            (_, true) => Ok(()),
            (None, _) => Err(
                Refusal::new(StatusCode::UNAUTHORIZED, "nobody is signed in")
                    .next("sign in with a link: teal user link NAME prints one on the server"),
            ),
            (Some(user), false) => Err(beyond(&user.name, env, role)),
        }
    }
}

/// The refusal of an act that is beyond somebody's role.
pub(super) fn beyond(name: &str, env: &EnvId, role: Role) -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        format!("{name} has not the role `{role}` in {env}"),
    )
    .next(how_to_get(name, env, role))
}

/// How somebody gets a role.
pub(super) fn how_to_get(name: &str, env: &EnvId, role: Role) -> String {
    format!(
        "whoever may log in to the server can give it: teal user add {name} --role {role} --env {env}"
    )
}

impl FromRequestParts<Worker> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, worker: &Worker) -> Result<Self, Refusal> {
        let public = worker.tools().server.public_page;
        let Some(secret) = cookie(&parts.headers) else {
            return Ok(Visitor {
                user: None,
                secret: None,
                public,
            });
        };
        let (key, now) = (digest(&secret), clock::now_ms());
        let store = worker.tools().journal.store();
        let found = store
            .read({
                let key = key.clone();
                move |c| users::session(c, &key, now)
            })
            .await
            .map_err(Refusal::internal)?;
        if let Some((_, expires)) = &found
            && expires - now < SESSION_MS - EXTEND_MS
        {
            let extended = store.write(move |c| users::extend(c, &key, now + SESSION_MS));
            extended.await.map_err(Refusal::internal)?;
        }
        Ok(Visitor {
            secret: found.is_some().then_some(secret),
            user: found.map(|(user, _)| user),
            public,
        })
    }
}

/// The digest that a secret is kept and found by.
pub(super) fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Compares without telling by the time it takes how much of it fits.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .fold(0, |differs, (a, b)| differs | (a ^ b))
            == 0
}

/// The session's secret, if the browser sent one that looks like one.
pub(super) fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(COOKIE).iter();
    all.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, secret)| secret.to_owned())
        .filter(|secret| secret.len() == 64)
}

/// Refuses a form that another site sent: browsers say where a form comes from.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    let foreign = match (text(ORIGIN), text(HOST), site) {
        (_, _, Some(site)) => !matches!(site, "same-origin" | "none"),
        (Some(origin), Some(host), None) => {
            origin.split_once("://").map(|(_, host)| host) != Some(host)
        }
        (Some(_), None, None) => true,
        (None, _, None) => false,
    };
    match foreign {
        true => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "this form came from another site: nothing was done",
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Right;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                let name = axum::http::HeaderName::from_static(name);
                (name, value.parse().unwrap())
            })
            .collect()
    }

    fn visitor(rights: Vec<Right>) -> Visitor {
        let user = User {
            name: "ann".to_owned(),
            rights,
            created_ms: 0,
        };
        Visitor {
            user: Some(user),
            secret: Some("s".repeat(64)),
            public: false,
        }
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        for good in [
            &[][..],
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "https://teal.example"), ("host", "teal.example")],
        ] {
            assert!(check_origin(&headers(good)).is_ok(), "{good:?}");
        }
        for bad in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "https://evil.example"), ("host", "teal.example")],
            &[("origin", "null"), ("host", "teal.example")],
        ] {
            assert!(check_origin(&headers(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_form_belongs_to_its_session() {
        let ann = visitor(Vec::new());
        assert!(ann.check_form(&ann.form_token()).is_ok());
        assert!(ann.check_form("").is_err());
        let stranger = Visitor {
            user: None,
            secret: None,
            public: true,
        };
        assert!(stranger.check_form(&stranger.form_token()).is_err());
    }

    #[test]
    fn a_role_holds_where_it_was_given() {
        let env: EnvId = "shop/staging".parse().unwrap();
        let ann = visitor(vec![Right {
            env: Some(env.clone()),
            role: Role::Deploy,
        }]);
        assert!(ann.may(&env, Role::Look) && ann.need(&env, Role::Deploy).is_ok());
        let elsewhere: EnvId = "shop/production".parse().unwrap();
        assert!(!ann.sees_outline(&elsewhere));
        let refused = ann.need(&env, Role::Admin).unwrap_err();
        assert_eq!(
            refused.error,
            "ann has not the role `admin` in shop/staging"
        );
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let secret = "a".repeat(64);
        let sent = format!("x=1; {COOKIE_NAME}={secret}; y=2");
        assert_eq!(cookie(&headers(&[("cookie", &sent)])), Some(secret));
        let short = format!("{COOKIE_NAME}=short");
        assert_eq!(cookie(&headers(&[("cookie", &short)])), None);
    }
}
