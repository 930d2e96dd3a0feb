//! Strangers' words made harmless for each place, and cut to what the place takes. What is escaped first and cut then may
//! end in half an escape, so both are done together, character by character.

/// The text with each character written as `how` says, at most `most` characters long in the end.
fn written(text: &str, most: usize, how: impl Fn(char) -> Option<&'static str>) -> String {
    let mut out = String::new();
    let mut length = 0;
    for c in text.chars() {
        let mut one = [0; 4];
        let piece: &str = match how(c) {
            Some(piece) => piece,
            None => c.encode_utf8(&mut one),
        };
        length += piece.chars().count();
        if length > most.saturating_sub(1) {
            out.push('…');
            break;
        }
        out.push_str(piece);
    }
    out
}

/// For Slack's `mrkdwn` and its fallback text: `&`, `<` and `>` begin everything that is not plain there.
pub fn slack(text: &str, most: usize) -> String {
    written(text, most, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

/// The same between three backticks.
pub fn slack_code(text: &str, most: usize) -> String {
    written(text, most, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '`' => Some("'"),
        _ => None,
    })
}

/// For Markdown as Discord, Mattermost and GitHub read it. A zero-width space behind `@` and `#` keeps `@everyone`,
/// `@channel` and other people's names and numbers from calling anybody.
pub fn markdown(text: &str, most: usize) -> String {
    written(text, most, |c| match c {
        '\\' => Some("\\\\"),
        '`' => Some("\\`"),
        '*' => Some("\\*"),
        '_' => Some("\\_"),
        '~' => Some("\\~"),
        '|' => Some("\\|"),
        '[' => Some("\\["),
        ']' => Some("\\]"),
        '(' => Some("\\("),
        ')' => Some("\\)"),
        '!' => Some("\\!"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '&' => Some("&amp;"),
        '@' => Some("@\u{200b}"),
        '#' => Some("#\u{200b}"),
        _ => None,
    })
}

/// For Discord's Markdown, which knows no entities: there a backslash does it.
pub fn discord(text: &str, most: usize) -> String {
    written(text, most, |c| match c {
        '\\' => Some("\\\\"),
        '`' => Some("\\`"),
        '*' => Some("\\*"),
        '_' => Some("\\_"),
        '~' => Some("\\~"),
        '|' => Some("\\|"),
        '[' => Some("\\["),
        ']' => Some("\\]"),
        '(' => Some("\\("),
        ')' => Some("\\)"),
        '<' => Some("\\<"),
        '>' => Some("\\>"),
        ':' => Some("\\:"),
        '@' => Some("@\u{200b}"),
        '#' => Some("\\#"),
        _ => None,
    })
}

/// Between three backticks of Markdown.
pub fn code(text: &str, most: usize) -> String {
    written(text, most, |c| match c {
        '`' => Some("'"),
        '@' => Some("@\u{200b}"),
        _ => None,
    })
}

/// What is literal where it stands, only cut.
pub fn literal(text: &str, most: usize) -> String {
    written(text, most, |_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<!channel> @everyone *b* `c` [l](http://x) & </pre>";

    #[test]
    fn each_place_shows_the_words_and_obeys_none_of_them() {
        assert_eq!(
            slack(HOSTILE, 200),
            "&lt;!channel&gt; @everyone *b* `c` [l](http://x) &amp; &lt;/pre&gt;"
        );
        assert_eq!(
            markdown(HOSTILE, 200),
            "&lt;\\!channel&gt; @\u{200b}everyone \\*b\\* \\`c\\` \\[l\\]\\(http://x\\) &amp; &lt;/pre&gt;"
        );
        assert_eq!(
            discord(HOSTILE, 200),
            "\\<!channel\\> @\u{200b}everyone \\*b\\* \\`c\\` \\[l\\]\\(http\\://x\\) & \\</pre\\>"
        );
        assert_eq!(code("a ``` @here", 200), "a ''' @\u{200b}here");
        assert_eq!(slack_code("```<@U1>", 200), "'''&lt;@U1&gt;");
    }

    #[test]
    fn what_is_cut_never_ends_in_half_an_escape() {
        for most in 1..30 {
            let cut = slack("a<b>&c<<<<<<<<", most);
            assert!(cut.chars().count() <= most, "{cut}");
            let whole = cut.matches('&').count() == cut.matches(';').count();
            assert!(whole, "{cut}");
        }
        assert_eq!(literal("short", 10), "short");
        assert_eq!(literal("too long", 5), "too …");
    }
}
