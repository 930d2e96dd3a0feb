//! The configuration that `teal init <name>` writes to start from.

use super::failure::CliError;
use crate::domain::AppName;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Writes it, and never over a file that is there.
pub(super) fn write(file: &Path, app: &AppName) -> Result<(), CliError> {
    let failed =
        |source: io::Error| CliError::local(format!("cannot write {}", file.display()), source);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .open(file)
        .map_err(failed)?;
    file.write_all(text(app, apps_dir().as_deref()).as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// `/srv` belongs to root; an ordinary user's apps live in the home folder.
fn apps_dir() -> Option<String> {
    let is_ordinary = !nix::unistd::Uid::effective().is_root();
    let home = std::env::var("HOME")
        .ok()
        .filter(|home| home.starts_with('/'));
    home.filter(|_| is_ordinary)
        .map(|home| format!("{home}/apps"))
}

fn text(app: &AppName, apps_dir: Option<&str>) -> String {
    let (place, proxy) = match apps_dir {
        // Ports below 1024 belong to root as well.
        Some(dir) => (format!("apps_dir = {dir:?}"), "0.0.0.0:8080"),
        None => ("# apps_dir = \"/srv\"".to_owned(), "0.0.0.0:80"),
    };
    format!(
        r##"# Teal's configuration. A key that Teal does not know is an error, with the nearest right one.

# Where the environments' folders are.
{place}
# Webhooks and pages are answered here; `public_url` is the address by which forges and people reach them.
# listen = "127.0.0.1:9000"
# public_url = "https://deploy.example.org"

[proxy]
kind = "embedded"
# Where visitors come in.
listen = ["{proxy}"]

[apps.{app}]
# Absent: you push straight to this server. For webhooks of a forge take the next three lines in.
# forge = "github"                                  # github | gitea | forgejo | gitlab
# repo = "https://github.com/you/{app}.git"
# webhook_secret = {{ env = "WEBHOOK_SECRET" }}       # or {{ file = "path" }}, never the secret itself

[apps.{app}.environments.production]
branch = "main"
# The app listens on one of these, whichever $PORT says.
ports = {{ blue = 3001, green = 3002 }}
# Absent: every host name comes here.
# domain = "{app}.example.org"
"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Server;

    #[test]
    fn what_is_written_can_be_read() {
        let app: AppName = "arq".parse().unwrap();
        for dir in [None, Some("/home/ann/apps")] {
            let text = text(&app, dir);
            let server = Server::parse(&text, Path::new("teal.toml"), &|_| None).unwrap();
            assert_eq!(server.apps[&app].environments[0].ports.green, 3002);
            // The same with every remark taken in.
            let all: Vec<String> = text
                .lines()
                .map(|line| match line.strip_prefix("# ") {
                    Some(rest) if rest.contains(" = ") => rest.to_owned(),
                    _ => line.to_owned(),
                })
                .collect();
            let secret =
                |name: &str| (name == "WEBHOOK_SECRET").then(|| "s3cret-s3cret".to_owned());
            let server = Server::parse(&all.join("\n"), Path::new("teal.toml"), &secret).unwrap();
            assert!(server.apps[&app].forge.is_some());
        }
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("teal.toml");
        std::fs::write(&file, "mine").unwrap();
        assert!(write(&file, &"arq".parse().unwrap()).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
