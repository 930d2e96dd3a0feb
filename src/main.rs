//! The `teal` command: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    // Processes that Teal starts of itself come first, without a parser or a runtime: a supervisor must stay tiny.
    match args.first().and_then(|word| word.to_str()) {
        Some("supervise") => teal::service::supervisor::supervise(&args[1..]),
        Some("proxy") => teal::proxy::main(&args[1..]),
        Some("static") => teal::service::static_site::run(&args[1..]),
        _ => teal::cli::main(),
    }
}
