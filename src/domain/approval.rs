use serde::{Deserialize, Serialize};

/// The yes that a deployment waits for, or waited for, before it may serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who may say it, as the configuration names them: `group:release, ada`.
    pub of: String,
    /// Since when it waits, in milliseconds since the epoch.
    pub since_ms: i64,
    /// Until when, in milliseconds since the epoch.
    pub until_ms: i64,
    /// What was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// What was said to a deployment that waited for a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was a yes.
    pub approved: bool,
    /// Who said it; absent: nobody did in time.
    pub by: Option<String>,
    /// When, in milliseconds since the epoch.
    pub said_ms: i64,
    /// With what words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
