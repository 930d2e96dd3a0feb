use std::fmt;

/// What is looked for, for the error that nothing was found.
const LOOKED_FOR: &str =
    "package.json, Procfile, requirements.txt, pyproject.toml, Cargo.toml, go.mod, index.html";

/// The repository does not tell how the app is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NothingToRun {
    /// The folder of the repository that was looked at.
    pub dir: String,
    /// Whether there is nothing in it at all.
    pub empty: bool,
    /// Lines of `.teal.toml` that would help an app like this one.
    pub example: String,
    /// Why files that look like an app do not help.
    pub reasons: Vec<String>,
}

impl fmt::Display for NothingToRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.dir.as_str() {
            "." => "the repository".to_owned(),
            dir => format!("the folder {dir}"),
        };
        match self.empty {
            true => writeln!(f, "{place} is empty, so there is nothing to start")?,
            false => writeln!(f, "nothing in {place} says how the app is started")?,
        }
        for reason in &self.reasons {
            writeln!(f, "  {reason}")?;
        }
        writeln!(f, "  looked for: {}", LOOKED_FOR)?;
        writeln!(f, "write this into .teal.toml and push again:\n")?;
        let lines: Vec<String> = self
            .example
            .lines()
            .map(|line| format!("    {line}"))
            .collect();
        f.write_str(&lines.join("\n"))
    }
}
