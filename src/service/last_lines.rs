use super::supervisor::STARTED;
use super::supervisor::tail::Tail;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// How much of a log's end is looked at.
const END: u64 = 256 * 1024;

/// The last lines of a service's log since it was last started, fit to be shown anywhere: what an earlier release printed
/// is not this one's. None when the log cannot be read.
pub fn last_lines(log: &Path) -> Vec<String> {
    let end = read_end(log).unwrap_or_default();
    let mut tail = Tail::folding();
    tail.push(since_the_start(&end));
    tail.finish()
}

fn since_the_start(end: &[u8]) -> &[u8] {
    let Some(start) = memchr::memmem::rfind(end, format!("[teal] {STARTED} ").as_bytes()) else {
        return end;
    };
    let line = memchr::memrchr(b'\n', &end[..start]).map_or(0, |before| before + 1);
    &end[line..]
}

fn read_end(log: &Path) -> std::io::Result<Vec<u8>> {
    // A service that may write beside its log must not lead us elsewhere.
    let mut file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(log)?;
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
    fn what_an_earlier_release_printed_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("green-service.log");
        let text = "T [teal] started as process 1\nT old words\nT [teal] stopped; nothing of it is left\n\
                    T [teal] started as process 2\nT new words\n";
        std::fs::write(&log, text).unwrap();
        assert_eq!(
            last_lines(&log),
            ["T [teal] started as process 2", "T new words"]
        );
        std::fs::write(&log, "T words without a start\n").unwrap();
        assert_eq!(last_lines(&log), ["T words without a start"]);
        assert!(last_lines(&dir.path().join("none")).is_empty());
    }
}
