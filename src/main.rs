//! x
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    match args.first().and_then(|word| word.to_str()) {
        Some("supervise") => teal::service::supervisor::supervise(&args[1..]),
        Some("static") => teal::service::static_site::run(&args[1..]),
        _ => ExitCode::from(2),
    }
}
