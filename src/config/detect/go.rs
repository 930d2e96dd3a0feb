use super::super::draft::Draft;
use super::super::repo_view::{Entry, Files};
use super::super::runtime::Want;
use super::is_plain;

const FILE: &str = "go.mod";

/// A module with one program, at the top or as the only folder of `cmd/`.
pub(super) fn detect(draft: &mut Draft, files: &Files<'_>) {
    let Some(text) = files.text(FILE) else {
        return;
    };
    draft.tool("go", FILE);
    let asks = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("go "));
    if let Some(asks) = asks {
        let asks = format!(">={}", asks.trim());
        let from = "`go` of go.mod".to_owned();
        draft.wants.push(Want {
            tool: "go",
            asks,
            from,
        });
    }
    match program(files) {
        Ok(package) => {
            draft.build(&format!("go build -o bin/app {package}"), FILE);
            draft.outputs(&["bin".to_owned()], FILE);
            draft.web("./bin/app", FILE);
        }
        Err(reason) => {
            draft.example =
                "[build]\nbuild = \"go build -o bin/app ./cmd/server\"\n[run]\nweb = \"./bin/app\"";
            draft.missing.push(reason);
        }
    }
}

fn program(files: &Files<'_>) -> Result<String, String> {
    let is_main = |name: &str| {
        name.ends_with(".go")
            && !name.ends_with("_test.go")
            && files
                .text(name)
                .is_some_and(|text| text.lines().any(|line| line.trim_end() == "package main"))
    };
    let here = files.list("").into_iter();
    if here
        .filter(|(_, entry)| *entry == Entry::File)
        .any(|(name, _)| is_main(&name))
    {
        return Ok(".".to_owned());
    }
    let commands: Vec<String> = files
        .list("cmd")
        .into_iter()
        .filter(|(name, entry)| *entry == Entry::Folder && is_plain(name))
        .map(|(name, _)| name)
        .collect();
    match commands.as_slice() {
        [name] => Ok(format!("./cmd/{name}")),
        [] => Err(format!(
            "{FILE} is there, but no `package main` at the top or in cmd/"
        )),
        _ => Err(format!(
            "cmd/ has {} programs: say which one is built and started",
            commands.len()
        )),
    }
}
