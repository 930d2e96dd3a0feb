//! x
/// x
pub fn run(_: &[std::ffi::OsString]) -> std::process::ExitCode {
    std::process::ExitCode::from(2)
}
