//! Wall-clock time, for names and records only. Deadlines use the monotonic [`std::time::Instant`].

use jiff::{Timestamp, tz::TimeZone};
use std::time::{Duration, Instant};

/// What goes on for long is said once in a while: a log that repeats itself fills the disk and helps nobody.
#[derive(Debug, Default)]
pub struct Seldom(Option<Instant>);

impl Seldom {
    const EVERY: Duration = Duration::from_secs(60);

    /// Whether it is to be said now.
    pub fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|last| last.elapsed() >= Self::EVERY);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

/// Now, in milliseconds since the epoch.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Microseconds since the machine started, the same in every process and untouched when somebody sets the clock.
pub fn monotonic_us() -> u64 {
    match nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC) {
        Ok(time) => time.tv_sec() as u64 * 1_000_000 + time.tv_nsec() as u64 / 1_000,
        // Linux always has this clock.
        Err(_) => 0,
    }
}

/// Whether somebody keeps the clock right, as the kernel was told; nothing where it may not be asked.
pub fn is_synchronized() -> Option<bool> {
    // SAFETY: zeros are what the struct is to be filled with for a question, in which the kernel changes nothing of its own.
    let mut told: nix::libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a struct of the call's own type, and nobody else sees it meanwhile.
    let state = unsafe { nix::libc::adjtimex(&mut told) };
    (state >= 0).then_some(told.status & nix::libc::STA_UNSYNC == 0)
}

/// `2026-11-23 14:05:09`, in the server's time zone.
pub fn local(ms: i64) -> String {
    format(ms, "%Y-%m-%d %H:%M:%S")
}

/// `20261123-140509`, in UTC, for file names that sort by age.
pub fn stamp(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y%m%d-%H%M%S").to_string(),
        Err(_) => "00000000-000000".to_owned(),
    }
}

/// `2026-11-23T14:05:09.123Z`, in UTC, for the lines of logs.
pub fn precise(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => "?".to_owned(),
    }
}

fn format(ms: i64, pattern: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time
            .to_zoned(TimeZone::system())
            .strftime(pattern)
            .to_string(),
        Err(_) => "?".to_owned(),
    }
}
