//! Output of commands as HTML: colours become classes, everything else is escaped. What reaches this has been through
//! [`Tamer`](crate::report::Tamer): of all that a terminal would obey only colours are left.

use std::fmt::Write;

/// Turns lines into HTML; colours go on from one line to the next, as they do on a terminal.
#[derive(Debug, Default)]
pub(super) struct Painter {
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    color: Option<u8>,
}

impl Painter {
    /// One line, without its end.
    pub fn line(&mut self, text: &str) -> String {
        let mut html = String::with_capacity(text.len() + 16);
        let mut pieces = text.split("\x1b[");
        self.piece(pieces.next().unwrap_or_default(), &mut html);
        for piece in pieces {
            match piece.split_once('m') {
                Some((codes, rest)) => {
                    self.obey(codes);
                    self.piece(rest, &mut html);
                }
                None => self.piece(piece, &mut html),
            }
        }
        html
    }

    fn piece(&self, text: &str, html: &mut String) {
        if text.is_empty() {
            return;
        }
        let classes = self.classes();
        if !classes.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(html, "<span class=\"{classes}\">");
        }
        escape(text, html);
        if !classes.is_empty() {
            html.push_str("</span>");
        }
    }

    fn classes(&self) -> String {
        let words = [
            (self.bold, "bold"),
            (self.dim, "dim"),
            (self.italic, "italic"),
            (self.underlined, "underlined"),
        ];
        let mut classes: Vec<String> = words
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, word)| word.to_owned())
            .collect();
        classes.extend(self.color.map(|color| format!("c{color}")));
        classes.join(" ")
    }

    fn obey(&mut self, codes: &str) {
        let mut codes = codes
            .split([';', ':'])
            .map(|code| code.parse().unwrap_or(0u16));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Painter::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underlined = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underlined = false,
                30..=37 => self.color = u8::try_from(code - 30).ok(),
                90..=97 => self.color = u8::try_from(code - 82).ok(),
                39 => self.color = None,
                // A color of the large palettes: its parameters are not codes of their own.
                38 | 48 => {
                    let skip = match codes.next() {
                        Some(5) => 1,
                        Some(2) => 3,
                        _ => 0,
                    };
                    let palette: Vec<u16> = codes.by_ref().take(skip).collect();
                    if let (38, [number]) = (code, palette.as_slice()) {
                        self.color = u8::try_from(*number).ok().filter(|number| *number < 16);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Writes text so that it stays text between tags and within quotes.
pub(super) fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // They would change the order in which the rest is read.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => html.push('\u{fffd}'),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_classes_and_all_else_stays_text() {
        let mut painter = Painter::default();
        assert_eq!(
            painter.line("\x1b[1;31merror\x1b[0m <b>&\"'</b>"),
            "<span class=\"bold c1\">error</span> &lt;b&gt;&amp;&quot;&#39;&lt;/b&gt;"
        );
        assert_eq!(painter.line("\x1b[92mok"), "<span class=\"c10\">ok</span>");
        assert_eq!(painter.line("still"), "<span class=\"c10\">still</span>");
        assert_eq!(painter.line("\x1b[39mplain"), "plain");
    }

    #[test]
    fn large_palettes_do_not_leak_their_parameters() {
        let mut painter = Painter::default();
        assert_eq!(
            painter.line("\x1b[38;5;9mred"),
            "<span class=\"c9\">red</span>"
        );
        assert_eq!(painter.line("\x1b[0;38;2;1;4;3mx"), "x");
        assert_eq!(painter.line("\x1b[48;5;1my"), "y");
        assert_eq!(painter.line("a\u{202e}b"), "a\u{fffd}b");
    }
}
