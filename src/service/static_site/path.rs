use std::path::PathBuf;

/// A request's path, decoded, with nothing in it that means something else than a name.
pub(super) struct Path {
    /// Below the folder that is served.
    pub file: PathBuf,
    /// Its last name.
    pub last: String,
    /// Whether it ends with a slash.
    pub is_folder: bool,
}

impl Path {
    /// Nothing for paths that are never served: those that go up, that name hidden files, or that are no text.
    pub fn parse(path: &str) -> Option<Path> {
        let decoded = decode(path)?;
        let mut file = PathBuf::new();
        let mut last = String::new();
        for part in decoded.split('/').filter(|part| !part.is_empty()) {
            let public = file.as_os_str().is_empty() && part == ".well-known";
            if part.starts_with('.') && !public || part.contains('\0') {
                return None;
            }
            file.push(part);
            last = part.to_owned();
        }
        let is_folder = decoded.ends_with('/') || last.is_empty();
        Some(Path {
            file,
            last,
            is_folder,
        })
    }
}

fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}
