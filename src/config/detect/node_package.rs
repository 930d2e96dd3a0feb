//! `package.json`, and what it says.

use super::json_line;
use serde_json::Value;

/// The file that an app of this kind has.
pub(super) const FILE: &str = "package.json";

/// A `package.json` with the text that it was read from.
pub(super) struct Package {
    text: String,
    json: Value,
}

impl Package {
    /// Reads the text of the file.
    pub fn parse(text: String) -> Result<Package, serde_json::Error> {
        let json = serde_json::from_str(&text)?;
        Ok(Package { text, json })
    }

    /// A script's command line.
    pub fn script(&self, name: &str) -> Option<&str> {
        self.json
            .get("scripts")?
            .get(name)?
            .as_str()
            .filter(|line| !line.trim().is_empty())
    }

    /// Whether the package is used, at run time or for the build.
    pub fn uses(&self, package: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|kind| {
            self.json
                .get(kind)
                .and_then(|deps| deps.get(package))
                .is_some()
        })
    }

    /// The value of a key at the top.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key)
    }

    /// Where a script stands, for people.
    pub fn script_origin(&self, name: &str) -> String {
        match json_line(&self.text, "scripts", name) {
            Some(line) => format!("{FILE} line {line}"),
            None => FILE.to_owned(),
        }
    }
}
