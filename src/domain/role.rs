use super::EnvId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What somebody may do in an environment. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See everything: states, logs, failures, plans.
    Look,
    /// Deploy, roll back, restart, cancel, show the maintenance page.
    Deploy,
    /// Say yes to a deployment that waits for approval.
    Approve,
    /// Everything, the app's own configuration and its secrets included.
    Admin,
}

impl Role {
    /// All roles, from the smallest to the largest.
    pub const ALL: [Role; 4] = [Role::Look, Role::Deploy, Role::Approve, Role::Admin];

    /// The word users type and see.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Look => "look",
            Role::Deploy => "deploy",
            Role::Approve => "approve",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Role::ALL
            .into_iter()
            .find(|role| role.as_str() == word)
            .ok_or_else(|| format!("`{word}` is not a role: look, deploy, approve or admin"))
    }
}

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    /// The environment; absent: everywhere.
    pub env: Option<EnvId>,
    /// The role.
    pub role: Role,
}

/// The largest role that these rights give in the environment, if any.
pub fn role_in(rights: &[Right], env: &EnvId) -> Option<Role> {
    rights
        .iter()
        .filter(|right| right.env.as_ref().is_none_or(|own| own == env))
        .map(|right| right.role)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_role_that_holds_counts() {
        let env: EnvId = "shop/staging".parse().unwrap();
        let other: EnvId = "shop/production".parse().unwrap();
        let rights = [
            Right {
                env: None,
                role: Role::Look,
            },
            Right {
                env: Some(env.clone()),
                role: Role::Deploy,
            },
        ];
        assert_eq!(role_in(&rights, &env), Some(Role::Deploy));
        assert_eq!(role_in(&rights, &other), Some(Role::Look));
        assert_eq!(role_in(&rights[1..], &other), None);
        assert!(Role::Admin > Role::Approve && Role::Approve > Role::Deploy);
    }

    #[test]
    fn an_unknown_word_is_told_the_right_ones() {
        assert_eq!("deploy".parse(), Ok(Role::Deploy));
        let wrong = "root".parse::<Role>().unwrap_err();
        assert_eq!(
            wrong,
            "`root` is not a role: look, deploy, approve or admin"
        );
    }
}
