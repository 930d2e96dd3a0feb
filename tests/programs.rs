//! What `--json` prints, as `docs/guides/programs.md` says it.

use crate::harness::{Outcome, Teal};
use serde_json::Value;
use std::collections::BTreeSet;

/// The rows of the guide's first table: the command, what it prints, and the keys of it.
fn rows() -> Vec<(String, String, Vec<String>)> {
    let guide = include_str!("../docs/guides/programs.md");
    let rows = guide.lines().filter(|line| line.starts_with("| `teal "));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        let command = cells[0].trim().trim_matches('`').to_owned();
        let keys = cells[2].split('`').skip(1).step_by(2);
        (
            command,
            cells[1].to_owned(),
            keys.map(str::to_owned).collect(),
        )
    };
    rows.map(row).collect()
}

/// The keys of a document, of the first one of a list, or of all lines.
fn keys(prints: &str, said: &str) -> BTreeSet<String> {
    let of = |value: &Value| -> Vec<String> {
        let fields = value.as_object().unwrap_or_else(|| panic!("{said}"));
        fields.keys().cloned().collect()
    };
    let parsed = |text: &str| -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {said}"))
    };
    if prints.starts_with("lines") {
        return said.lines().flat_map(|line| of(&parsed(line))).collect();
    }
    match parsed(said) {
        Value::Array(list) => list
            .first()
            .map(&of)
            .unwrap_or_default()
            .into_iter()
            .collect(),
        document => of(&document).into_iter().collect(),
    }
}

#[test]
fn each_command_prints_what_the_guide_for_programs_says() {
    let teal = Teal::shop();
    let app = teal.client("shop");
    app.recipe("[build]\nbuild = \"echo built\"\n");
    app.git().commit("a build that prints");
    let pushed = app.git().push(["production", "main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    teal.cli(["restart", "production"]).ok();
    let rows = rows();
    assert!(rows.len() > 20, "{}", rows.len());
    for (command, prints, wanted) in rows {
        let words = command.split(' ').skip(1).chain(["--json"]);
        let mut command_line = teal.command(words);
        let said = Outcome::of(command_line.current_dir(app.path()));
        // That some of what the doctor looks at is wrong here is no mistake of the command.
        assert!(said.code < 2, "{command}: {}{}", said.stdout, said.stderr);
        let found = keys(&prints, &said.stdout);
        for key in wanted {
            let is_empty_list = prints.starts_with("a list") && found.is_empty();
            assert!(
                found.contains(&key) || is_empty_list,
                "`{key}` of {command}: {}",
                said.stdout
            );
        }
    }
}

#[test]
fn a_program_is_told_of_mistakes_as_it_is_told_of_everything() {
    let teal = Teal::shop();
    for (words, code) in [
        (vec!["status", "nosuch"], 2),
        (vec!["statsu"], 2),
        (vec!["deploy"], 2),
        (vec!["cancel", "99"], 2),
    ] {
        let words = words.into_iter().chain(["--json"]);
        let said = teal.cli(words);
        let told: Value = serde_json::from_str(&said.stderr)
            .unwrap_or_else(|error| panic!("{error}: {}", said.stderr));
        assert_eq!((said.code, &told["code"]), (code, &Value::from(code)));
        assert!(
            told["error"].is_string() && told["next"].is_string(),
            "{told}"
        );
        assert_eq!(said.stdout, "");
    }
}
