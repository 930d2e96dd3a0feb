//! `teal serve`.

use super::failure::{CliError, Code};
use crate::config::{LogFormat, Server};
use std::io::{self, IsTerminal};
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// What is logged (`debug`, `teal::pipeline=debug,info`), when it is not to be `info`.
const LOG: &str = "TEAL_LOG";

/// Runs the server until it is told to end.
pub(super) fn run(server: Server) -> Result<Code, CliError> {
    log(server.log)?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::local("cannot begin", source))?
        .block_on(crate::server::serve(Arc::new(server)))?;
    Ok(Code::Done)
}

/// Logs go to stderr, where a service manager collects them; it adds the time by itself, so colours are for terminals.
fn log(format: LogFormat) -> Result<(), CliError> {
    let wanted = std::env::var(LOG).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        CliError::usage(
            format!("{LOG}={wanted} says nothing that can be logged: {error}"),
            format!("{LOG}=debug, or {LOG}=info,teal::pipeline=debug"),
        )
    })?;
    let colours = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colours)
        .with_target(false);
    let begun = match format {
        LogFormat::Text => log.try_init(),
        // What a line is about stands beside its words, not inside an object of its own.
        LogFormat::Json => log
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    begun.map_err(|error| CliError::local("cannot begin to log", io::Error::other(error)))
}
