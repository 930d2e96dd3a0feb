use super::super::repo_view::{Entry, Files};
use super::is_plain;
use super::node_package::Package;
use serde_json::Value;

/// The `node_modules` of the package and of each package of its workspace, which some managers fill as well.
pub(super) fn dependency_folders(package: &Package, files: &Files<'_>) -> Vec<String> {
    let mut folders = vec!["node_modules".to_owned()];
    for pattern in patterns(package, files) {
        match pattern.strip_suffix("/*").or(pattern.strip_suffix("/**")) {
            Some(parent) => {
                let entries = files.list(parent).into_iter();
                let packages = entries.filter(|(_, entry)| *entry == Entry::Folder);
                folders.extend(packages.map(|(name, _)| format!("{parent}/{name}/node_modules")));
            }
            None => folders.push(format!("{pattern}/node_modules")),
        }
    }
    folders
}

fn patterns(package: &Package, files: &Files<'_>) -> Vec<String> {
    let listed = package
        .get("workspaces")
        .map(|workspaces| match workspaces.get("packages") {
            Some(packages) => packages,
            None => workspaces,
        });
    let named = listed.and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<String> = named.filter_map(Value::as_str).map(str::to_owned).collect();
    let pnpm = files.text("pnpm-workspace.yaml").unwrap_or_default();
    let items = pnpm
        .lines()
        .skip_while(|line| line.trim_end() != "packages:")
        .skip(1)
        .take_while(|line| line.trim().is_empty() || line.trim_start().starts_with(['-', '#']));
    all.extend(items.filter_map(|line| {
        let item = line.trim().strip_prefix('-')?;
        Some(item.trim().trim_matches(['"', '\'']).to_owned())
    }));
    // Exclusions and deeper patterns are left out: a folder that is missed is only installed again.
    all.retain(|pattern| {
        is_plain(pattern.trim_end_matches('*').trim_end_matches('/')) && !pattern.starts_with('/')
    });
    all
}
