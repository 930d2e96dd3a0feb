//! The times that the system stamps files with, and how far they can be relied on.

use std::fs;
use std::time::SystemTime;

/// The clock that stamps files may stand still for this long between its ticks, in nanoseconds. What was stamped within
/// that time of a look could have been changed again without a new stamp.
pub const TICK: i64 = 20_000_000;

/// What [`boot`] says where the kernel does not tell.
pub const NO_BOOT: [u8; 36] = [b'?'; 36];

/// The name that the kernel gives to this start of the machine. Stamps are only sure to reach as far as contents do as
/// long as the machine has not lost its power.
pub fn boot() -> [u8; 36] {
    fs::read("/proc/sys/kernel/random/boot_id")
        .ok()
        .and_then(|text| text.get(..36)?.try_into().ok())
        .unwrap_or(NO_BOOT)
}

/// Now, in nanoseconds since the epoch, by the clock that stamps files.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()
        .and_then(|time| time.as_nanos().try_into().ok())
        .unwrap_or(0)
}

/// A time of the system in nanoseconds since the epoch.
pub fn nanos(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// A sum that a torn file does not have. It withstands no attack: it is for files that nobody else writes.
pub fn sum(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut sum = bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        sum = (sum.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
    }
    for byte in rest {
        sum = (sum.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    sum
}
