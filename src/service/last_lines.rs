use super::supervisor::tail::Tail;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a log's end is looked at.
const END: u64 = 32 * 1024;

/// The last lines of a log, fit to be shown anywhere. None when the log cannot be read.
pub fn last_lines(log: &Path) -> Vec<String> {
    let mut tail = Tail::default();
    tail.push(&read_end(log).unwrap_or_default());
    tail.finish()
}

fn read_end(log: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    Ok(end)
}
