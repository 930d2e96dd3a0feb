use std::time::SystemTime;

/// A number that differs from run to run; printed, and taken again from `TEAL_SEED`.
pub fn seed() -> u64 {
    let given = std::env::var("TEAL_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::from(now.unwrap().subsec_nanos())
    });
    eprintln!("TEAL_SEED={seed}");
    seed
}
