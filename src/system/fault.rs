//! Places where a test ends this process as a power cut would: before and after each write that something hangs on, and
//! each act that another process carries out. They are only there in builds with debug assertions; a release has none of it.

/// A place to end. With `TEAL_FAULT_AT=<n>` the n-th place that is passed is the last thing this process does, with
/// `TEAL_FAULT_AT=<name>` the first one of that name; with `TEAL_FAULT_TRACE=<file>` each place that is passed is added to
/// the file.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::io::Write;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static AT: OnceLock<Option<String>> = OnceLock::new();
    static TRACE: OnceLock<Option<String>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let at = AT.get_or_init(|| std::env::var("TEAL_FAULT_AT").ok());
    let trace = TRACE.get_or_init(|| std::env::var("TEAL_FAULT_TRACE").ok());
    if at.is_none() && trace.is_none() {
        return;
    }
    let passed = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(file) = trace {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(file);
        if let Ok(mut log) = log {
            // A trace that cannot be written is missed by the test that reads it.
            let _ = writeln!(log, "{passed} {name}");
        }
    }
    let is_meant = |at: &String| *at == name || *at == passed.to_string();
    if at.as_ref().is_some_and(is_meant) {
        let own = nix::unistd::Pid::this();
        let _ = nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGKILL);
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub fn point(_name: &str) {}
