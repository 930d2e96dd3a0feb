use super::news::Changes;

/// What a release changes against the last good one, fact by fact, with what each is.
pub fn changed(changes: &Changes) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let more = if changes.more { " or more" } else { "" };
    let count = match changes.commits.len() {
        0 => "no commits".to_owned(),
        1 => "1 commit".to_owned(),
        count => format!("{count}{more} commits"),
    };
    let list = changes.commits.join("; ");
    let list = if list.is_empty() {
        list
    } else {
        format!(": {list}")
    };
    let since = changes.since;
    facts.push(("changed", format!("{count} since deployment {since}{list}")));
    if !changes.lockfiles.is_empty() {
        facts.push(("lockfile", changes.lockfiles.join(", ")));
    }
    if !changes.settings.is_empty() {
        facts.push(("settings", changes.settings.join(", ")));
    }
    if let Some(why) = &changes.migrated {
        facts.push((
            "migration",
            format!("ran in this deployment already ({why})"),
        ));
    }
    facts
}
