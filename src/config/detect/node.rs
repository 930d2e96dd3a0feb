use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::super::runtime::Want;
use super::node_install::{Manager, install};
use super::node_package::{FILE, Package};
use super::{is_plain, node_outputs};
use serde_json::Value;

/// An app with a `package.json`.
pub(super) fn detect(draft: &mut Draft, files: &Files<'_>) -> bool {
    if !files.has(FILE) {
        return false;
    }
    let Some(text) = files.text(FILE) else {
        draft
            .missing
            .push(format!("{FILE} is no text or larger than 1 MB"));
        return true;
    };
    let package = match Package::parse(text) {
        Ok(package) => package,
        Err(error) => {
            let place = format!("line {} column {}", error.line(), error.column());
            draft.warn(format!(
                "{FILE} is not JSON ({place}): nothing is taken from it"
            ));
            draft.missing.push(format!("{FILE} is not JSON ({place})"));
            return true;
        }
    };
    let manager = install(draft, files, &package);
    draft.tool("node", FILE);
    draft.path("node_modules/.bin", FILE);
    if package.script("build").is_some() {
        let from = package.script_origin("build");
        draft.build(&format!("{} run build", manager.program), &from);
        let outputs = node_outputs::guess(&package, files);
        match outputs.is_empty() {
            true => draft.doubt(
                "build.outputs",
                "no folder is known that the build fills, so it always runs: name it as `[build] outputs` in .teal.toml",
            ),
            false => draft.outputs(&outputs, node_outputs::WHY),
        }
    }
    if package.script("test").is_some() {
        draft.note(
            "build.test",
            "",
            "not run: many `test` scripts need a database or never end; `[build] test` in .teal.toml turns it on",
        );
    }
    engines(draft, &package);
    web(draft, files, &package, manager);
    true
}

fn engines(draft: &mut Draft, package: &Package) {
    let asks = package
        .get("engines")
        .and_then(|engines| engines.get("node"))
        .and_then(Value::as_str);
    if let Some(asks) = asks {
        draft.wants.push(Want {
            tool: "node",
            asks: asks
                .chars()
                .take(60)
                .filter(|c| c.is_ascii_graphic() || *c == ' ')
                .collect(),
            from: "`engines.node` of package.json".to_owned(),
        });
    }
}

fn web(draft: &mut Draft, files: &Files<'_>, package: &Package, manager: Manager) {
    let start = package.script("start");
    let develops = start.is_some_and(node_outputs::is_development_server);
    let prefers_prod = package.uses("@nestjs/core") || develops;
    if prefers_prod && package.script("start:prod").is_some() {
        let command = format!("{} run start:prod", manager.program);
        return draft.web(&command, &package.script_origin("start:prod"));
    }
    if (start.is_none() || develops)
        && let Some(service) = node_outputs::static_service(package)
    {
        let from = format!("{FILE}: a static build");
        return draft.web(&service, &from);
    }
    if start.is_some() {
        if develops {
            draft.doubt("run.web", "the `start` script looks like a development server: `[run] web` in .teal.toml can say better");
        }
        let command = match manager.program {
            "bun" => "bun run start".to_owned(),
            program => format!("{program} start"),
        };
        return draft.web(&command, &package.script_origin("start"));
    }
    let main = package
        .get("main")
        .and_then(Value::as_str)
        .map(|path| path.trim_start_matches("./"));
    // The file that `main` names may only exist after the build.
    let main = main.filter(|path| {
        is_plain(path)
            && (files.has(path) || (package.script("build").is_some() && path.contains('/')))
    });
    match main {
        _ if files.has("server.js") => draft.web("node server.js", "server.js"),
        Some(main) => draft.web(&format!("node {main}"), "`main` of package.json"),
        None => draft.missing.push(format!(
            "{FILE} has no `start` script and names no `main` file that exists"
        )),
    }
}
