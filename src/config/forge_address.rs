//! Where a forge's API is, worked out from the address that the app is fetched from.

use super::{Forge, remote};

/// The address of the forge's API and the project there, as `repo` tells them.
pub(super) fn of_repo(forge: Forge, repo: &str) -> Result<(String, String), String> {
    let (base, host, path) = remote::parts(repo).ok_or("has no path")?;
    let project = path.trim_matches('/');
    let project = project.strip_suffix(".git").unwrap_or(project);
    let names = project.split('/').count();
    let enough = match forge {
        Forge::GitLab => names >= 2,
        _ => names == 2,
    };
    if !enough || project.split('/').any(str::is_empty) {
        return Err("does not end in owner/name".to_owned());
    }
    let url = match forge {
        Forge::GitHub if host == "github.com" => "https://api.github.com".to_owned(),
        Forge::GitHub => format!("{base}/api/v3"),
        Forge::Gitea | Forge::Forgejo => format!("{base}/api/v1"),
        Forge::GitLab => format!("{base}/api/v4"),
    };
    Ok((url, project.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_is_found_from_the_address_to_fetch_from() {
        let of = |forge, repo| of_repo(forge, repo).unwrap();
        let pair = |url: &str, project: &str| (url.to_owned(), project.to_owned());
        assert_eq!(
            of(Forge::GitHub, "https://github.com/arq/arq.git"),
            pair("https://api.github.com", "arq/arq")
        );
        assert_eq!(
            of(Forge::GitHub, "git@github.com:arq/arq"),
            pair("https://api.github.com", "arq/arq")
        );
        assert_eq!(
            of(Forge::GitHub, "ssh://git@ghe.lan:2222/arq/arq.git"),
            pair("https://ghe.lan/api/v3", "arq/arq")
        );
        assert_eq!(
            of(Forge::Forgejo, "http://127.0.0.1:3000/a/b.git"),
            pair("http://127.0.0.1:3000/api/v1", "a/b")
        );
        assert_eq!(
            of(Forge::GitLab, "https://gitlab.com/group/sub/app.git"),
            pair("https://gitlab.com/api/v4", "group/sub/app")
        );
        assert!(of_repo(Forge::GitHub, "https://github.com/arq").is_err());
        assert!(of_repo(Forge::Gitea, "https://host/gitea/a/b").is_err());
    }
}
