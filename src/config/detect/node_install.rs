//! How the dependencies of a Node app are installed.

use super::super::draft::Draft;
use super::super::repo_view::Files;
use super::node_package::{FILE, Package};
use super::node_workspaces;
use serde_json::Value;

/// A package manager, as the lockfile tells.
#[derive(Clone, Copy)]
pub(super) struct Manager {
    /// What is run.
    pub program: &'static str,
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

/// Installs as the lockfile beside `package.json` wants it, and says which package manager that is.
pub(super) fn install(draft: &mut Draft, files: &Files<'_>, package: &Package) -> Manager {
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
