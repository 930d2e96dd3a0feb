use serde::{Deserialize, Serialize};

/// CI's word that a deployment waits for, or waited for, before it may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ci {
    /// Since when it waits, in milliseconds since the epoch.
    pub since_ms: i64,
    /// Until when, in milliseconds since the epoch.
    pub until_ms: i64,
    /// What is known of its checks, in words; absent: nobody was asked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What CI found in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Found>,
}

/// What CI found of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Whether every check was good.
    pub good: bool,
    /// When it was known, in milliseconds since the epoch.
    pub at_ms: i64,
}

impl Ci {
    /// Whether it is still waited for.
    pub fn is_open(&self) -> bool {
        self.found.is_none()
    }
}
