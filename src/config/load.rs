use super::document::{Document, Section};
use super::server_keys::SERVER;
use super::server_values::path_or;
use super::{ConfigError, Contact, Server, defaults};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where `teal.toml` is looked for when nobody names it.
const PLACES: [&str; 2] = ["teal.toml", SYSTEM];

/// The machine's own one.
const SYSTEM: &str = "/etc/teal/teal.toml";

impl Server {
    /// Reads `teal.toml`: the given file, else `./teal.toml`, else `/etc/teal/teal.toml`.
    pub fn load(path: Option<&Path>) -> Result<Server, ConfigError> {
        let (file, text) = read(path)?;
        Server::parse(&text, &file, &variable)
    }

    /// The same for a command that uses no secret: the server's environment variables are its own, and a command does not
    /// have them.
    pub fn load_without_secrets(path: Option<&Path>) -> Result<Server, ConfigError> {
        let (file, text) = read(path)?;
        Server::parse(&text, &file, &|name| {
            variable(name).or_else(|| (!OWN.contains(&name)).then(|| UNKNOWN.to_owned()))
        })
    }
}

/// Variables that say where this user's folders are, and for which no other value will do.
const OWN: [&str; 2] = ["HOME", "XDG_STATE_HOME"];

/// What stands for the value of a secret that is not known here.
const UNKNOWN: &str = "not known to this command";

impl Contact {
    /// Finds out from `teal.toml` where its server is reached. Only the top of the file is looked at, and no secret: a
    /// command has to work for people who may not read those, and at a moment when the rest of the file has a mistake.
    pub fn load(path: Option<&Path>) -> Result<Contact, ConfigError> {
        let (file, text) = read(path)?;
        let doc = Document {
            file: &file,
            text: &text,
        };
        let table = doc.parse()?;
        let top = Section::top(&doc, &table, &SERVER)?;
        let default = || {
            let own = defaults::state_dir(&variable);
            // The machine's server is not this user's, unless this user has begun one.
            match file == Path::new(SYSTEM) && !own.exists() {
                true => PathBuf::from("/var/lib/teal"),
                false => own,
            }
        };
        Ok(Contact {
            state_dir: path_or(&top, "state_dir", default)?,
            file: file.clone(),
        })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read(path: Option<&Path>) -> Result<(PathBuf, String), ConfigError> {
    let places: Vec<PathBuf> = match path {
        Some(path) => vec![path.to_owned()],
        None => PLACES.iter().map(PathBuf::from).collect(),
    };
    for file in &places {
        match fs::read_to_string(file) {
            Ok(text) => return Ok((file.clone(), text)),
            Err(error) if path.is_none() && is_absent(file, &error) => {}
            Err(source) => {
                return Err(ConfigError::Read {
                    file: file.clone(),
                    source,
                });
            }
        }
    }
    Err(ConfigError::NotFound { looked: places })
}

/// Whether there is no such file, or none that could be meant: who types `sudo -u teal teal` at home may not even look there.
fn is_absent(file: &Path, error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound => true,
        io::ErrorKind::PermissionDenied => file.is_relative() && fs::metadata(file).is_err(),
        _ => false,
    }
}
