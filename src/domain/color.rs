use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One of the two slots of an environment, and everything that belongs to it: folder, port, service, log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// The slot that a first deployment takes.
    Blue,
    /// The other one.
    Green,
}

impl Color {
    /// Both colors, blue first.
    pub const BOTH: [Color; 2] = [Color::Blue, Color::Green];

    /// The color that is not this one.
    pub fn other(self) -> Color {
        match self {
            Color::Blue => Color::Green,
            Color::Green => Color::Blue,
        }
    }

    /// The word users see and that names the slot's folder: `blue` or `green`.
    pub fn as_str(self) -> &'static str {
        match self {
            Color::Blue => "blue",
            Color::Green => "green",
        }
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Color {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Color::BOTH
            .into_iter()
            .find(|color| color.as_str() == word)
            .ok_or_else(|| format!("`{word}` is not a color: blue or green"))
    }
}
