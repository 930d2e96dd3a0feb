//! The values of `.teal.toml`: each function says whether the field has one.

use super::document::Field;
use super::error::{ConfigError, shown};
use super::{refs, values};

pub(super) fn url_path(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    let good = text.starts_with('/')
        && !text.starts_with("//")
        && text.len() <= 1000
        && text
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b));
    if good {
        return Ok(text.to_owned());
    }
    let message = format!("`path` cannot be \"{}\"", shown(text));
    Err(field.error_help(message, "a path of the app, such as \"/api/health\""))
}

pub(super) fn deadline(field: &Field<'_>) -> Result<std::time::Duration, ConfigError> {
    let value = field.duration()?;
    if value.is_zero() || value > std::time::Duration::from_secs(86_400) {
        let message = format!(
            "`{}` must be more than nothing and at most 1d",
            field.label()
        );
        return Err(field.error(message));
    }
    Ok(value)
}

pub(super) fn set(
    target: &mut Option<String>,
    field: &Field<'_>,
) -> Result<Option<String>, ConfigError> {
    *target = field.command()?;
    Ok(target.clone())
}

pub(super) fn text_of(command: Option<String>) -> String {
    command.unwrap_or_default()
}

pub(super) fn list(
    target: &mut Vec<String>,
    field: &Field<'_>,
    check: fn(&Field<'_>) -> Result<String, ConfigError>,
) -> Result<String, ConfigError> {
    *target = field.list()?.iter().map(check).collect::<Result<_, _>>()?;
    Ok(target.join(", "))
}

pub(super) fn path(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.text()?;
    values::release_path(text)
        .map_err(|wrong| field.error(format!("`{}`: \"{}\" {wrong}", field.label(), shown(text))))
}

/// A path that is not the whole release.
pub(super) fn folder(field: &Field<'_>) -> Result<String, ConfigError> {
    match path(field)?.as_str() {
        "." => Err(field.error(format!("`{}` cannot be the whole release", field.label()))),
        path => Ok(path.to_owned()),
    }
}

pub(super) fn glob(field: &Field<'_>) -> Result<String, ConfigError> {
    let pattern = path(field)?;
    refs::glob(&pattern).map_err(|error| {
        let message = format!("\"{}\" is not a pattern: {}", shown(&pattern), error.kind());
        field.error(message)
    })?;
    Ok(pattern)
}

pub(super) fn variable(field: &Field<'_>) -> Result<String, ConfigError> {
    let text = field.some_text()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '*';
    if text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let message = format!("\"{}\" is not a variable's name", shown(text));
    Err(field.error_help(
        message,
        "names such as \"API_URL\" or \"VITE_*\", without values",
    ))
}

pub(super) fn from(field: &Field<'_>) -> String {
    format!(".teal.toml line {}", field.line())
}
