use super::{ConfigError, Server};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where `teal.toml` is looked for when nobody names it.
const PLACES: [&str; 2] = ["teal.toml", "/etc/teal/teal.toml"];

impl Server {
    /// Reads `teal.toml`: the given file, else `./teal.toml`, else `/etc/teal/teal.toml`.
    pub fn load(path: Option<&Path>) -> Result<Server, ConfigError> {
        let places: Vec<PathBuf> = match path {
            Some(path) => vec![path.to_owned()],
            None => PLACES.iter().map(PathBuf::from).collect(),
        };
        for file in &places {
            match fs::read_to_string(file) {
                Ok(text) => return Server::parse(&text, file, &|name| std::env::var(name).ok()),
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_none() => {}
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
}
