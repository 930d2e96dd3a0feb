//! git, and the repositories that people push to.

use crate::config::Server;
use crate::setup;
use crate::system::git::Repo;
use crate::system::programs;
use crate::web::types::Finding;

const AREA: &str = "git";
/// The first git that has `proc-receive`.
const OLDEST: (u32, u32) = (2, 29);

/// The program's version, and each repository's hooks.
pub(super) fn look(server: &Server) -> Vec<Finding> {
    let mut found = vec![version(programs::version("git").as_deref())];
    let Ok(hook) = setup::hook_program() else {
        // That it is missing is told where programs are.
        return found;
    };
    let mut well = 0;
    for app in server.apps.keys() {
        let path = server.repo_path(app);
        let flaws = match Repo::open(&path) {
            Ok(repo) => repo.flaws(&hook),
            Err(error) => vec![error.to_string()],
        };
        match flaws.as_slice() {
            [] => well += 1,
            flaws => found.push(Finding::problem(
                AREA,
                format!(
                    "{} cannot be pushed to: {}",
                    path.display(),
                    flaws.join("; ")
                ),
                "teal init (it puts hooks and settings right)",
            )),
        }
    }
    if well > 0 {
        let s = if well == 1 {
            "y has its"
        } else {
            "ies have their"
        };
        found.push(Finding::good(AREA, format!("{well} repositor{s} hooks")));
    }
    found
}

fn version(said: Option<&str>) -> Finding {
    const FIX: &str = "install git 2.29 or newer, where the server's PATH finds it";
    let Some(said) = said else {
        return Finding::problem(AREA, "there is no git on the PATH", FIX);
    };
    match numbers(said) {
        Some(found) if found >= OLDEST => Finding::good(AREA, said),
        _ => Finding::problem(
            AREA,
            format!("{said} is too old: pushes cannot be answered"),
            FIX,
        ),
    }
}

fn numbers(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split(' ').nth(2)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::types::Health;

    #[test]
    fn an_old_git_or_none_is_told() {
        let health = |said| version(said).health;
        assert_eq!(health(Some("git version 2.39.5")), Health::Good);
        assert_eq!(health(Some("git version 2.29.0.windows.1")), Health::Good);
        assert_eq!(health(Some("git version 2.28.1")), Health::Problem);
        assert_eq!(health(Some("git version 3.0.0")), Health::Good);
        assert_eq!(health(Some("gitty")), Health::Problem);
        assert_eq!(health(None), Health::Problem);
    }
}
