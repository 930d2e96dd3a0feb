//! Tables for people: as wide as the terminal, with one column that gives way.

use super::paint::Paint;
use crate::report::{Line, Tone};
use console::{measure_text_width, truncate_str};

/// The column that gives way keeps at least this much.
const NARROWEST: usize = 12;
/// Between two columns.
const GAP: &str = "  ";

/// A table.
pub(super) struct Table {
    heads: Vec<&'static str>,
    flexible: usize,
    rows: Vec<Row>,
}

struct Row {
    cells: Vec<Line>,
    below: Vec<Line>,
}

/// A cell, or a line below a row.
pub(super) fn cell(tone: Tone, text: impl Into<String>) -> Line {
    Line {
        text: text.into(),
        tone,
    }
}

/// A cell like any other.
pub(super) fn plain(text: impl Into<String>) -> Line {
    cell(Tone::Plain, text)
}

/// The text in lines of at most so many columns. Words are not broken: a command has to be copied whole.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for given in text.lines() {
        let mut line = String::new();
        for word in given.split_whitespace() {
            let longer = measure_text_width(&line) + 1 + measure_text_width(word);
            if !line.is_empty() && longer > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// The line as it is where it fits; else on several, broken between words, whose later ones stand where its last column began.
pub(super) fn hung(text: &str, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns.filter(|columns| measure_text_width(text) > *columns) else {
        return vec![text.to_owned()];
    };
    let indent = hanging(text, columns);
    let (mut lines, mut line, mut is_begun) = (Vec::new(), String::new(), false);
    for word in text.split_inclusive(' ') {
        let wide = measure_text_width(&line) + measure_text_width(word.trim_end());
        if is_begun && wide > columns {
            lines.push(line.trim_end().to_owned());
            line = " ".repeat(indent);
        }
        is_begun |= !word.trim().is_empty();
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Where a line goes on: below its last column, which two blanks set apart, or a little further in than it began.
fn hanging(text: &str, columns: usize) -> usize {
    let start = text.len() - text.trim_start().len();
    let (end, _) = text
        .char_indices()
        .nth(columns / 2)
        .unwrap_or((text.len(), ' '));
    match text[..end].rfind("  ").map(|gap| gap + GAP.len()) {
        Some(column) if column > start => measure_text_width(&text[..column]),
        _ => start + GAP.len(),
    }
}

impl Table {
    /// A table with these heads, of which the one with this number gives way.
    pub fn new(heads: &[&'static str], flexible: usize) -> Table {
        Table {
            heads: heads.to_vec(),
            flexible,
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell per head, and lines that stand below it.
    pub fn row(&mut self, cells: Vec<Line>, below: Vec<Line>) {
        self.rows.push(Row { cells, below });
    }

    /// The lines, as wide as so many columns, or as it takes.
    pub fn render(&self, columns: Option<usize>, paint: Paint) -> Vec<String> {
        let widths = self.widths(columns);
        let head = self.heads.iter().map(|head| cell(Tone::Quiet, *head));
        let mut lines = vec![layout(&head.collect::<Vec<_>>(), &widths, paint)];
        for row in &self.rows {
            lines.push(layout(&row.cells, &widths, paint));
            for line in &row.below {
                let parts = hung(&line.text, columns);
                lines.extend(parts.iter().map(|part| paint.apply(line.tone, part)));
            }
        }
        lines
    }

    fn widths(&self, columns: Option<usize>) -> Vec<usize> {
        let widest = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
            let widths = cells.map(|cell| measure_text_width(&cell.text));
            widths.max().unwrap_or(0).max(self.heads[at].len())
        };
        let mut widths: Vec<usize> = (0..self.heads.len()).map(widest).collect();
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        let Some(columns) = columns else {
            return widths;
        };
        // Where that is not enough, the last column gives way as well.
        for at in [self.flexible, widths.len() - 1] {
            let taken: usize = widths.iter().sum::<usize>() - widths[at] + gaps;
            let left = columns.saturating_sub(taken).max(NARROWEST);
            widths[at] = widths[at].min(left);
        }
        widths
    }
}

fn layout(cells: &[Line], widths: &[usize], paint: Paint) -> String {
    let mut line = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let text = truncate_str(&cell.text, *width, "…");
        line.push_str(&paint.apply(cell.tone, &text));
        if at + 1 < cells.len() {
            line.push_str(&" ".repeat(width.saturating_sub(measure_text_width(&text))));
            line.push_str(GAP);
        }
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "WHAT", "WHEN"], 1);
        let long = "a sentence that is a good deal longer than it has to be";
        table.row(
            vec![plain("漢字"), plain(long), plain("now")],
            vec![plain("  below")],
        );
        table.row(vec![plain("x"), plain("y"), plain("")], vec![]);
        table
    }

    #[test]
    fn a_line_that_is_too_long_goes_on_below_its_last_column_and_words_stay_whole() {
        let of = |text: &str| hung(text, Some(50)).join("\n");
        let step = "  checkout     10 ms  4 written; emptied first: a full one starts empty";
        assert_eq!(
            of(step),
            "  checkout     10 ms  4 written; emptied first: a\n                      full one starts empty"
        );
        assert_eq!(
            of("LIVE: http://staging.notebook.example.com:54797/ (deployment 57, push to live)"),
            "LIVE: http://staging.notebook.example.com:54797/\n  (deployment 57, push to live)"
        );
        assert_eq!(of("  short"), "  short");
        let long = "word ".repeat(30);
        assert_eq!(hung(&long, None), [long]);
    }

    #[test]
    fn the_flexible_column_gives_way_and_wide_characters_count_twice() {
        let lines = table().render(Some(40), Paint::default());
        insta::assert_snapshot!(lines.join("\n"), @r"
        NAME  WHAT                          WHEN
        漢字  a sentence that is a good d…  now
          below
        x     y
        ");
        assert!(lines.iter().all(|line| measure_text_width(line) <= 40));
    }

    #[test]
    fn nothing_is_cut_where_nobody_looks() {
        let lines = table().render(None, Paint::default()).join("\n");
        assert!(lines.contains("than it has to be  now"), "{lines}");
    }

    #[test]
    fn words_are_not_broken_and_lines_are_kept() {
        assert_eq!(wrapped("a bb\nccc", 3), ["a", "bb", "ccc"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}
