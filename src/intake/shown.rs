/// A stranger's words as they may be shown: one line, no control characters, at most `most` characters.
pub(super) fn shown(words: &str, most: usize) -> String {
    let mut text: String = words
        .chars()
        .take(most)
        .map(|c| {
            // Right-to-left marks and their kin would reorder the words around them.
            let hidden = c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
            if hidden { '\u{fffd}' } else { c }
        })
        .collect();
    if words.chars().nth(most).is_some() {
        text.push('…');
    }
    text
}
