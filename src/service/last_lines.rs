use super::supervisor::tail::Tail;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How much of a log's end is looked at.
const END: u64 = 32 * 1024;

/// What a supervisor notes at each start of its service.
const START: &[u8] = b" [teal] started as process ";

/// The last lines of a service's log since its last start, fit to be shown anywhere. None when the log cannot be read.
pub fn last_lines(log: &Path) -> Vec<String> {
    let mut tail = Tail::default();
    tail.push(since_start(&read_end(log).unwrap_or_default()));
    tail.finish()
}

/// A color's log goes on over its releases: what an earlier one said explains nothing.
fn since_start(log: &[u8]) -> &[u8] {
    let Some(at) = memchr::memmem::rfind(log, START) else {
        return log;
    };
    let line = memchr::memrchr(b'\n', &log[..at]).map_or(0, |end| end + 1);
    &log[line..]
}

fn read_end(log: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end)?;
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_release_has_no_say() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let text = "1 [teal] started as process 7\n2 old\n3 [teal] started as process 8\n4 new\n";
        std::fs::write(&log, text).unwrap();
        assert_eq!(last_lines(&log), ["3 [teal] started as process 8", "4 new"]);
        std::fs::write(&log, "no start in sight\n").unwrap();
        assert_eq!(last_lines(&log), ["no start in sight"]);
    }
}
