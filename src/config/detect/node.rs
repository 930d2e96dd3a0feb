use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::super::runtime::Want;
use super::{is_plain, json_line, node_outputs, node_workspaces};
use serde_json::Value;

/// The file that an app of this kind has.
const FILE: &str = "package.json";

/// A package manager, as the lockfile tells.
#[derive(Clone, Copy)]
struct Manager {
    program: &'static str,
    lockfile: &'static str,
    install: &'static str,
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "npm",
        lockfile: "package-lock.json",
        install: "npm ci",
    },
    Manager {
        program: "npm",
        lockfile: "npm-shrinkwrap.json",
        install: "npm ci",
    },
    Manager {
        program: "pnpm",
        lockfile: "pnpm-lock.yaml",
        install: "pnpm install --frozen-lockfile",
    },
    Manager {
        program: "yarn",
        lockfile: "yarn.lock",
        install: "yarn install --frozen-lockfile",
    },
    Manager {
        program: "bun",
        lockfile: "bun.lock",
        install: "bun install --frozen-lockfile",
    },
    Manager {
        program: "bun",
        lockfile: "bun.lockb",
        install: "bun install --frozen-lockfile",
    },
];

/// A `package.json` with the text that it was read from.
pub(super) struct Package {
    text: String,
    json: Value,
}

impl Package {
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

    fn script_origin(&self, name: &str) -> String {
        match json_line(&self.text, "scripts", name) {
            Some(line) => format!("{FILE} line {line}"),
            None => FILE.to_owned(),
        }
    }
}

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
    let json = match serde_json::from_str(&text) {
        Ok(json) => json,
        Err(error) => {
            let place = format!("line {} column {}", error.line(), error.column());
            draft.warn(format!(
                "{FILE} is not JSON ({place}): nothing is taken from it"
            ));
            draft.missing.push(format!("{FILE} is not JSON ({place})"));
            return true;
        }
    };
    let package = Package { text, json };
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

fn install(draft: &mut Draft, files: &Files<'_>, package: &Package) -> Manager {
    let present: Vec<&Manager> = MANAGERS
        .iter()
        .filter(|manager| files.has(manager.lockfile))
        .collect();
    let declared = package
        .get("packageManager")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let named = declared.split('@').next().unwrap_or_default();
    let chosen = present
        .iter()
        .find(|manager| manager.program == named)
        .or(present.first());
    let Some(manager) = chosen else {
        draft.tool("npm", FILE);
        draft.doubt(
            "build.install",
            "package.json has no lockfile beside it: every install may bring other versions",
        );
        draft.install(
            "npm install",
            inputs(files, &[FILE]),
            &["node_modules"],
            FILE,
        );
        return MANAGERS[0];
    };
    if let Some(other) = present
        .iter()
        .find(|other| other.program != manager.program)
    {
        draft.doubt(
            "build.install",
            format!(
                "{} and {} are both there; {} is used",
                manager.lockfile, other.lockfile, manager.lockfile
            ),
        );
    }
    draft.tool(manager.program, manager.lockfile);
    let lockfiles = inputs(files, &[manager.lockfile, FILE]);
    if manager.program == "yarn" && is_berry(files, declared) {
        let own = [".pnp.cjs", ".yarn/cache", ".yarn/unplugged"];
        let linker = files.text(".yarnrc.yml").unwrap_or_default();
        // Without node_modules, yarn loads packages from its own folders; committed ones come with the checkout.
        let deps: Vec<&str> = match linker.contains("nodeLinker: node-modules") {
            true => vec!["node_modules"],
            false => own
                .into_iter()
                .filter(|path| !files.has(path) && files.list(path).is_empty())
                .collect(),
        };
        draft.install(
            "yarn install --immutable",
            lockfiles,
            &deps,
            manager.lockfile,
        );
        return **manager;
    }
    let folders = node_workspaces::dependency_folders(package, files);
    let deps: Vec<&str> = folders.iter().map(String::as_str).collect();
    draft.install(manager.install, lockfiles, &deps, manager.lockfile);
    **manager
}

/// Everything that decides what an install brings: a generated database client depends on its schema, too.
fn inputs(files: &Files<'_>, first: &[&str]) -> Vec<String> {
    let more = [
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        "pnpm-workspace.yaml",
        "prisma/schema.prisma",
    ];
    let mut all: Vec<String> = first.iter().map(|file| (*file).to_owned()).collect();
    all.extend(files.present(&more));
    let patches = files.list("patches").into_iter();
    all.extend(patches.map(|(name, _)| format!("patches/{name}")));
    all
}

fn is_berry(files: &Files<'_>, declared: &str) -> bool {
    let version = declared.strip_prefix("yarn@").unwrap_or_default();
    let major: Option<u32> = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    files.has(".yarnrc.yml") || major.is_some_and(|major| major >= 2)
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
        && let Some(folder) = node_outputs::static_folder(package)
    {
        let from = format!("{FILE}: a static build");
        return draft.web(&format!("teal static --dir {folder}"), &from);
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
