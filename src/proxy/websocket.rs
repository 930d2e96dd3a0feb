//! As much of the WebSocket protocol as it takes to say goodbye: where a frame ends, and what a close frame looks like.

/// "Going away" (1001), as a server says it.
pub const CLOSE_FROM_SERVER: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];
/// The same as a client says it: masked, with a mask of zeros.
pub const CLOSE_FROM_CLIENT: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub struct Frames {
    header: [u8; 10],
    have: usize,
    payload: u64,
}

impl Frames {
    /// Whether the last byte seen was the last of a frame, so that another frame may be put in here.
    pub fn at_boundary(&self) -> bool {
        self.have == 0 && self.payload == 0
    }

    /// Follows all the bytes.
    pub fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.follow_frame(bytes)..];
        }
    }

    /// Follows the bytes to the end of the frame that they are in; how many those are.
    pub fn follow_frame(&mut self, bytes: &[u8]) -> usize {
        let mut used = 0;
        while used < bytes.len() {
            used += self.step(&bytes[used..]);
            if self.at_boundary() {
                break;
            }
        }
        used
    }

    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.payload > 0 {
            let passed = bytes
                .len()
                .min(usize::try_from(self.payload).unwrap_or(usize::MAX));
            self.payload -= passed as u64;
            return passed;
        }
        self.header[self.have] = bytes[0];
        self.have += 1;
        if let Some(payload) = self.payload_length() {
            self.have = 0;
            self.payload = payload;
        }
        1
    }

    /// What follows the header (the mask counted in), once enough of the header is there to say so.
    fn payload_length(&self) -> Option<u64> {
        let header = &self.header[..self.have];
        let second = *header.get(1)?;
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?)),
            127 => u64::from_be_bytes(header.get(2..10)?.try_into().ok()?),
            short => u64::from(short),
        };
        Some(length.saturating_add(mask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..126 => frame.push(mask | length as u8),
            126..65536 => {
                frame.push(mask | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0xff; length + if masked { 4 } else { 0 }]);
        frame
    }

    #[test]
    fn the_end_of_every_frame_is_found_in_pieces_of_any_size() {
        for length in [0, 1, 125, 126, 300, 65535, 65536] {
            for masked in [false, true] {
                let frame = frame(length, masked);
                for size in [1, 3, 1000, frame.len()] {
                    let mut frames = Frames::default();
                    let (last, rest) = frame.split_last().unwrap();
                    rest.chunks(size).for_each(|piece| frames.follow(piece));
                    assert!(!frames.at_boundary(), "{length} {masked} {size}");
                    frames.follow(&[*last]);
                    assert!(frames.at_boundary(), "{length} {masked} {size}");
                }
            }
        }
    }

    #[test]
    fn what_comes_after_a_frame_is_left_alone() {
        let both = [frame(5, false), frame(7, false)].concat();
        let mut frames = Frames::default();
        assert_eq!(frames.follow_frame(&both), 7);
        assert!(frames.at_boundary());
    }

    #[test]
    fn our_own_goodbyes_are_whole_frames() {
        for close in [&CLOSE_FROM_SERVER[..], &CLOSE_FROM_CLIENT[..]] {
            let mut frames = Frames::default();
            assert_eq!(frames.follow_frame(close), close.len());
            assert!(frames.at_boundary());
        }
    }
}
