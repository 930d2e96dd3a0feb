//! Bytes packed by Zstandard: small by themselves, and hardly there at all where they are mostly those of an earlier text.
//!
//! Packed against an earlier text they are what the `zstd` program writes with `--patch-from`, so that a person can read
//! them with it: `zstd -d --patch-from=EARLIER PACKED -o TEXT`.

use std::io::{self, Read, Write};

/// How hard it tries: what is packed is read and written while people wait.
const LEVEL: i32 = 3;
/// The smallest and the largest window of the format, as powers of two.
const WINDOWS: (u32, u32) = (10, 31);
/// What every frame begins with (RFC 8878, section 3.1.1).
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Packs a text; against an earlier one where there is one, and then only what differs takes room.
pub fn pack(text: &[u8], earlier: Option<&[u8]>) -> io::Result<Vec<u8>> {
    let reach = text.len() + earlier.map_or(0, <[u8]>::len);
    let mut packer = match earlier {
        Some(earlier) => zstd::Encoder::with_ref_prefix(Vec::new(), LEVEL, earlier)?,
        None => zstd::Encoder::new(Vec::new(), LEVEL)?,
    };
    if earlier.is_some() {
        packer.long_distance_matching(true)?;
        packer.window_log(window(reach))?;
    }
    // A text that is torn, or packed against another one, is recognised.
    packer.include_checksum(true)?;
    packer.set_pledged_src_size(Some(text.len() as u64))?;
    packer.write_all(text)?;
    packer.finish()
}

/// The text that was packed, against the same earlier one. A text that never was packed is given as it is.
pub fn unpack(packed: Vec<u8>, earlier: Option<&[u8]>) -> io::Result<Vec<u8>> {
    if !packed.starts_with(&FRAME) {
        return Ok(packed);
    }
    let mut text = Vec::new();
    match earlier {
        Some(earlier) => {
            let mut reader = zstd::Decoder::with_ref_prefix(packed.as_slice(), earlier)?;
            reader.window_log_max(WINDOWS.1)?;
            reader.read_to_end(&mut text)?;
        }
        None => {
            zstd::Decoder::with_buffer(packed.as_slice())?.read_to_end(&mut text)?;
        }
    }
    Ok(text)
}

/// The smallest window that reaches as far back as this.
fn window(reach: usize) -> u32 {
    (usize::BITS - reach.leading_zeros()).clamp(WINDOWS.0, WINDOWS.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// Lines that cannot be packed well, and one of them not as before.
    fn lines(changed: usize) -> Vec<u8> {
        (0..20_000)
            .flat_map(|number| {
                let salt = usize::from(number == changed);
                let hash = Sha256::digest(format!("{number} {salt}"));
                format!("{} {number}\n", hex::encode(hash)).into_bytes()
            })
            .collect()
    }

    #[test]
    fn only_what_differs_takes_room() {
        let (earlier, text) = (lines(0), lines(12_345));
        let alone = pack(&text, None).unwrap();
        let packed = pack(&text, Some(&earlier)).unwrap();
        assert!(alone.len() > 500_000, "{}", alone.len());
        assert!(packed.len() < 1000, "{}", packed.len());
        assert_eq!(unpack(alone, None).unwrap(), text);
        assert_eq!(unpack(packed, Some(&earlier)).unwrap(), text);
        assert_eq!(unpack(b"as it is".to_vec(), None).unwrap(), b"as it is");
    }

    #[test]
    fn a_torn_text_and_one_against_another_text_are_errors() {
        let (earlier, text) = (lines(0), lines(7));
        let packed = pack(&text, Some(&earlier)).unwrap();
        for length in 4..packed.len() {
            assert!(unpack(packed[..length].to_vec(), Some(&earlier)).is_err());
        }
        assert!(unpack(packed.clone(), Some(&lines(99))).is_err());
        assert!(unpack(packed, None).is_err());
    }

    #[test]
    fn nothing_can_be_packed_too() {
        for earlier in [None, Some(b"".as_slice()), Some(b"x")] {
            let packed = pack(b"", earlier).unwrap();
            assert_eq!(unpack(packed, earlier).unwrap(), b"");
        }
    }
}
