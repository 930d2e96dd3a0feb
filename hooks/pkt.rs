//! git's framing: four hexadecimal digits of length, themselves included, then that much data; `0000` ends a list.

use std::io::{self, Read, Write};

/// The data of each packet up to the end of the list, without the newline that some end in.
pub fn read_list(from: &mut impl Read) -> io::Result<Vec<Vec<u8>>> {
    let mut list = Vec::new();
    while let Some(mut data) = read_one(from)? {
        if data.last() == Some(&b'\n') {
            data.pop();
        }
        list.push(data);
    }
    Ok(list)
}

fn read_one(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut digits = [0; 4];
    from.read_exact(&mut digits)?;
    let length = std::str::from_utf8(&digits)
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match length {
        Some(0) => Ok(None),
        Some(length @ 4..) => {
            let mut data = vec![0; length - 4];
            from.read_exact(&mut data)?;
            Ok(Some(data))
        }
        _ => Err(io::Error::other(
            "git sent something that is not a packet line",
        )),
    }
}

/// Writes each packet, then the end of the list.
pub fn write_list(to: &mut impl Write, packets: &[Vec<u8>]) -> io::Result<()> {
    for data in packets {
        write!(to, "{:04x}", data.len() + 4)?;
        to.write_all(data)?;
    }
    to.write_all(b"0000")?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::{Noise, rounds};

    #[test]
    fn a_list_comes_back() -> io::Result<()> {
        let mut wire = Vec::new();
        let packets = vec![b"ok refs/heads/main".to_vec(), b"x".to_vec()];
        write_list(&mut wire, &packets)?;
        assert_eq!(wire, b"0016ok refs/heads/main0005x0000");
        assert_eq!(read_list(&mut &wire[..])?, packets);
        assert_eq!(read_list(&mut &b"0006a\n0000"[..])?, [b"a"]);
        Ok(())
    }

    #[test]
    fn what_is_not_framed_is_an_error() {
        for bad in [&b""[..], b"000", b"0001", b"zzzz", b"0009ab", b"0005a"] {
            assert!(read_list(&mut &bad[..]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn whatever_git_sends_is_a_list_or_an_error() {
        let mut noise = Noise::new(5);
        let good = [
            "001eversion=1\0push-options atomic0000",
            "0016ok refs/heads/main0005x0000",
            "0009fast\n000fskip-tests0000",
        ];
        for _ in 0..rounds(3000) {
            let wire = noise.spoilt(&good);
            if let Ok(list) = read_list(&mut &wire[..]) {
                assert!(list.iter().map(Vec::len).sum::<usize>() <= wire.len());
            }
        }
    }
}
