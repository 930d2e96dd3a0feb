use crate::report::Tone;

/// How tones look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Paint {
    /// Whether there are colours at all.
    pub colour: bool,
}

impl Paint {
    /// The text in its tone.
    pub fn apply(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            _ if !self.colour || text.is_empty() => return text.to_owned(),
            Tone::Quiet => "2",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
