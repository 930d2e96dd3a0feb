//! What keeps a push from its environment's queue: a freeze that somebody declared, or hours in which nothing is deployed.
//! A push that is held waits, is superseded by a newer one like any other, and goes on by itself. A rollback is never held.

use crate::config::Environment;
use crate::store::StoreError;
use crate::store::freezes::{self, Freeze};
use crate::system::clock;
use rusqlite::Connection;
use std::fmt;

/// Why pushes to an environment wait now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Somebody froze it.
    Freeze(Freeze),
    /// It is deployed to at other hours.
    Hours {
        /// Which, as they were typed.
        hours: String,
        /// When they begin, in milliseconds since the epoch.
        opens_ms: Option<i64>,
    },
}

impl Hold {
    /// When it ends by itself, in milliseconds since the epoch.
    pub fn until_ms(&self) -> Option<i64> {
        match self {
            Hold::Freeze(freeze) => freeze.until_ms,
            Hold::Hours { opens_ms, .. } => *opens_ms,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Freeze(freeze) => {
                let by = &freeze.by;
                match freeze.until_ms {
                    Some(until) => write!(f, "frozen by {by} until {}", clock::local(until))?,
                    None => write!(f, "frozen by {by} until it is lifted")?,
                }
                match &freeze.why {
                    Some(why) => write!(f, ": {why}"),
                    None => Ok(()),
                }
            }
            Hold::Hours { hours, opens_ms } => {
                write!(f, "deployed to {hours} only")?;
                match opens_ms {
                    Some(opens) => write!(f, ", next {}", clock::local(*opens)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// What holds pushes to this environment at this moment; nothing when they go on.
pub fn of(
    connection: &Connection,
    env: &Environment,
    now_ms: i64,
) -> Result<Option<Hold>, StoreError> {
    let freeze = freezes::get(connection, &env.id)?;
    if let Some(freeze) = freeze.filter(|freeze| freeze.until_ms.is_none_or(|end| end > now_ms)) {
        return Ok(Some(Hold::Freeze(freeze)));
    }
    let closed = env
        .deploy_hours
        .as_ref()
        .filter(|hours| !hours.are_open(now_ms));
    Ok(closed.map(|hours| Hold::Hours {
        hours: hours.to_string(),
        opens_ms: hours.next_ms(now_ms),
    }))
}
