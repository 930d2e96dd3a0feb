//! The values of `teal.toml`: each function says whether the key has one.

use super::document::{Field, Section};
use super::error::{ConfigError, shown};
use super::values;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// One address with its port, or a list of them.
pub(super) fn addresses(field: &Field<'_>) -> Result<Vec<SocketAddr>, ConfigError> {
    field.one_or_list()?.iter().map(address).collect()
}

fn address(field: &Field<'_>) -> Result<SocketAddr, ConfigError> {
    let text = field.text()?;
    text.parse().map_err(|_| {
        let message = format!("\"{}\" is not an address and a port", shown(text));
        field.error_help(message, "write it as \"127.0.0.1:9000\" or \"[::1]:9000\"")
    })
}

/// The address of a key, or the default.
pub(super) fn address_or(
    section: &Section<'_>,
    key: &str,
    default: SocketAddr,
) -> Result<SocketAddr, ConfigError> {
    section
        .get(key)
        .map_or(Ok(default), |field| address(&field))
}

/// The duration of a key, or the default.
pub(super) fn duration_or(
    section: &Section<'_>,
    key: &str,
    default: Duration,
) -> Result<Duration, ConfigError> {
    section
        .get(key)
        .map_or(Ok(default), |field| field.duration())
}

/// An amount of bytes.
pub(super) fn size(field: &Field<'_>) -> Result<u64, ConfigError> {
    let text = field.text()?;
    values::bytes(text).ok_or_else(|| {
        let message = format!("\"{}\" is not a size", shown(text));
        field.error_help(message, "write it as \"500MB\", \"20GB\" or \"1TB\"")
    })
}

/// The number of a key, from 1 to `most`, or the default.
pub(super) fn number_or(
    section: &Section<'_>,
    key: &str,
    default: usize,
    most: u64,
) -> Result<usize, ConfigError> {
    section.get(key).map_or(Ok(default), |field| {
        field.number(1..=most).map(|number| number as usize)
    })
}

/// The absolute path of a key, or the default.
pub(super) fn path_or(
    section: &Section<'_>,
    key: &str,
    default: impl FnOnce() -> PathBuf,
) -> Result<PathBuf, ConfigError> {
    match section.get(key) {
        Some(field) => values::server_path(field.text()?)
            .map_err(|wrong| field.error(format!("`{key}` {wrong}"))),
        None => Ok(default()),
    }
}

/// An address that is not secret, without a trailing slash.
pub(super) fn web_address(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?.trim_end_matches('/');
    match values::is_web_address(text) {
        true => Ok(text.to_owned()),
        false => Err(field.key_error(
            format!("`{}` is not a web address", field.label()),
            Some("write \"https://…\"".to_owned()),
        )),
    }
}
