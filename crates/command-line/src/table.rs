//! Aligned columns.

use std::fmt::Write;

use super::output::{Palette, Tint, printable};

/// The side of a column that its texts are aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Left, for words.
    Left,
    /// Right, for numbers.
    Right,
}

/// A table without lines: a header, and rows as wide as their widest cell.
#[derive(Debug)]
pub struct Table<const N: usize> {
    sides: [Side; N],
    rows: Vec<[(String, Tint); N]>,
}

const GAP: &str = "  ";

impl<const N: usize> Table<N> {
    /// A table with these columns.
    pub fn new(header: [(&str, Side); N]) -> Self {
        let first = header.map(|(title, _)| (title.to_owned(), Tint::Dim));
        Self { sides: header.map(|(_, side)| side), rows: vec![first] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [(String, Tint); N]) {
        self.rows.push(cells.map(|(text, tint)| (printable(&text).into_owned(), tint)));
    }

    /// The table as lines, each with a gap before it.
    pub fn render(&self, palette: Palette) -> String {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, (text, _)) in widths.iter_mut().zip(row) {
                *width = text.chars().count().max(*width);
            }
        }
        self.rows.iter().map(|row| render_row(row, &widths, &self.sides, palette)).collect()
    }
}

fn render_row(row: &[(String, Tint)], widths: &[usize], sides: &[Side], palette: Palette) -> String {
    let mut line = String::new();
    for ((text, tint), (width, side)) in row.iter().zip(widths.iter().zip(sides)) {
        let padding = " ".repeat(width - text.chars().count());
        let painted = palette.paint(*tint, text);
        // Writing to a string cannot fail.
        let _ = match side {
            Side::Left => write!(line, "{GAP}{painted}{padding}"),
            Side::Right => write!(line, "{GAP}{padding}{painted}"),
        };
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_with_their_text() {
        let mut table = Table::new([("STATUS", Side::Left), ("ORDERS", Side::Right), ("WHY", Side::Left)]);
        table.row([("Shipped".into(), Tint::Good), ("9".into(), Tint::Plain), (String::new(), Tint::Plain)]);
        table.row([("Łódź".into(), Tint::Plain), ("1234567".into(), Tint::Plain), ("a\nb".into(), Tint::Plain)]);
        assert_eq!(
            table.render(Palette::NONE),
            "  STATUS    ORDERS  WHY\n  Shipped        9\n  Łódź     1234567  a\\nb\n"
        );
        assert!(table.render(Palette::FULL).contains("  \u{1b}[32mShipped\u{1b}[0m"));
    }
}
