//! Starting services, and finding those that run.

use super::running::Service;
use super::services::{ServiceError, Services};
use super::wire::{Hello, Launch, Spec, Status};
use crate::system::files::FileError;
use crate::system::process;
use std::io;

impl Services {
    /// Starts a service under a new supervisor. It is not restarted when it ends, until [`Service::keep_alive`] says so.
    pub async fn start(&self, spec: &Spec) -> Result<Service, ServiceError> {
        let place = self.place(&spec.key)?;
        place.create()?;
        let launch = Launch {
            id: format!("{}-{}", spec.key, process::unique()),
            spec: spec.clone(),
        };
        let text = serde_json::to_vec(&launch)
            .map_err(|error| self.broken(&spec.key, &error.to_string()))?;
        match self.launch("service", &spec.key, &text).await? {
            Hello::Up(status) => Ok(self.service(&spec.key, status)),
            Hello::Held => Err(ServiceError::Running(spec.key.clone())),
            Hello::Failed(why) => Err(ServiceError::Start {
                key: spec.key.clone(),
                why,
            }),
        }
    }

    /// The service of this name, if it runs; one whose supervisor is gone gets a new one.
    pub async fn find(&self, key: &str) -> Result<Option<Service>, ServiceError> {
        let status = self.look(key).await?;
        Ok(status.map(|status| self.service(key, status)))
    }

    /// The services whose names begin so and that run; those whose supervisor is gone get a new one.
    pub async fn running(&self, prefix: &str) -> Result<Vec<Service>, ServiceError> {
        let folder = self.run_dir.join("services");
        let mut names: Vec<String> = match std::fs::read_dir(&folder) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| name.starts_with(prefix) && !name.ends_with(".sock"))
                .collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                let (act, path) = ("read", folder);
                return Err(FileError { act, path, source }.into());
            }
        };
        names.sort();
        let mut running = Vec::new();
        for name in names {
            running.extend(self.find(&name).await?);
        }
        Ok(running)
    }

    fn service(&self, key: &str, status: Status) -> Service {
        Service::new(self.clone(), key, status)
    }
}
