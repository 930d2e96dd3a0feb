//! Files with holes: stretches of zeros that take no room on the disk and need not be read. A database or a disk image may
//! have gigabytes of them.

use rustix::fs::{SeekFrom, fstat, seek};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;

/// Zeros, as they are read from a hole.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// Whether a file takes less room than its length: only then it is worth looking for its holes.
pub fn has_holes(file: &File) -> io::Result<bool> {
    let stat = fstat(file)?;
    Ok(stat.st_blocks as u64 * 512 < stat.st_size as u64)
}

/// The next stretch of the file at or after this place that may hold something else than zeros; nothing when only a hole
/// follows. The file's position is at its start afterwards.
pub fn next_data(file: &File, at: u64) -> io::Result<Option<Range<u64>>> {
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // A file system that knows no holes has none.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => seek(file, SeekFrom::Start(at))?,
        Err(error) => return Err(error.into()),
    };
    let end = match seek(file, SeekFrom::Hole(start)) {
        Ok(end) => end,
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => seek(file, SeekFrom::End(0))?,
        Err(error) => return Err(error.into()),
    };
    seek(file, SeekFrom::Start(start))?;
    Ok((start < end).then_some(start..end))
}

/// How long the file is. Its position is at its end afterwards.
pub fn length(file: &File) -> io::Result<u64> {
    Ok(seek(file, SeekFrom::End(0))?)
}

/// So many zeros, piece by piece.
pub fn zeros(mut count: u64) -> impl Iterator<Item = &'static [u8]> {
    std::iter::from_fn(move || {
        let piece = usize::try_from(count).map_or(ZEROS.len(), |count| count.min(ZEROS.len()));
        count -= piece as u64;
        (piece > 0).then(|| &ZEROS[..piece])
    })
}

#[cfg(test)]
pub mod testing {
    //! A file with holes, for tests.

    use std::fs::{File, metadata};
    use std::io;
    use std::os::unix::fs::{FileExt, MetadataExt};
    use std::path::Path;

    /// Writes a file of this length with a few bytes here and there; false where the file system keeps no holes.
    pub fn write(path: &Path, length: u64) -> io::Result<bool> {
        let file = File::create(path)?;
        file.set_len(length)?;
        for at in [length / 3, length / 2, length * 3 / 4] {
            file.write_all_at(format!("here, at {at}").as_bytes(), at)?;
        }
        taken(path).map(|taken| taken < length / 4)
    }

    /// The room that a file takes.
    pub fn taken(path: &Path) -> io::Result<u64> {
        Ok(metadata(path)?.blocks() * 512)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_and_zeros_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        let keeps_holes = testing::write(&path, 64 << 20).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(has_holes(&file).unwrap(), keeps_holes);
        let (mut at, mut data) = (0, 0);
        while let Some(next) = next_data(&file, at).unwrap() {
            data += next.end - next.start;
            at = next.end;
        }
        assert!(data > 0 && (data < 16 << 20 || !keeps_holes), "{data}");
        assert_eq!(length(&file).unwrap(), 64 << 20);
        assert_eq!(zeros(200_000).map(<[u8]>::len).sum::<usize>(), 200_000);
        assert_eq!(zeros(0).count(), 0);
    }
}
