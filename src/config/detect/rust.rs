use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::is_plain;
use toml::{Table, Value};

const FILE: &str = "Cargo.toml";

/// A package with one program.
pub(super) fn detect(draft: &mut Draft, files: &Files<'_>) {
    let Some(text) = files.text(FILE) else {
        return;
    };
    let Ok(manifest) = text.parse::<Table>() else {
        return draft.missing.push(format!("{FILE} is not TOML"));
    };
    draft.tool("cargo", FILE);
    draft.build("cargo build --release", FILE);
    draft.outputs(&["target/release".to_owned()], FILE);
    match program(&manifest, files) {
        Ok(name) => draft.web(&format!("./target/release/{name}"), FILE),
        Err(reason) => {
            draft.example = "[run]\nweb = \"./target/release/server\"";
            draft.missing.push(reason);
        }
    }
}

fn program(manifest: &Table, files: &Files<'_>) -> Result<String, String> {
    let Some(package) = manifest.get("package").and_then(Value::as_table) else {
        return Err(format!("{FILE} is a workspace: name the program to start"));
    };
    let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = text("default-run").filter(|name| is_plain(name)) {
        return Ok(name);
    }
    let mut names: Vec<String> = Vec::new();
    let declared = manifest
        .get("bin")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    names.extend(declared.filter_map(|bin| Some(bin.get("name")?.as_str()?.to_owned())));
    let declares_main = manifest.get("bin").is_some_and(|bins| {
        let bins = bins.as_array().into_iter().flatten();
        bins.filter_map(|bin| bin.get("path")?.as_str())
            .any(|path| path == "src/main.rs")
    });
    if files.has("src/main.rs") && !declares_main {
        names.extend(text("name"));
    }
    let found = files.list("src/bin").into_iter();
    names.extend(found.map(|(name, _)| name.trim_end_matches(".rs").to_owned()));
    names.sort();
    names.dedup();
    match names.as_slice() {
        [name] if is_plain(name) => Ok(name.clone()),
        [] => Err(format!("{FILE} has no program: there is no src/main.rs")),
        _ => Err(format!(
            "{FILE} has {} programs: set `default-run`, or name the one to start",
            names.len()
        )),
    }
}
