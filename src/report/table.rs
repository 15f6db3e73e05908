//! Columns.

use console::measure_text_width;

/// Rows as aligned columns, two spaces before and between them. The last column is cut where the terminal
/// ends.
#[must_use]
pub fn plain<const N: usize>(rows: &[[String; N]], width: usize) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(measure_text_width(cell));
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str("  ");
            line.push_str(cell);
            if column + 1 < N {
                line.push_str(&" ".repeat(widths[column] - measure_text_width(cell)));
            }
        }
        text.push_str(console::truncate_str(line.trim_end(), width, "…").as_ref());
        text.push('\n');
    }
    text
}

/// The same, and nothing is cut: where a line would be longer than the terminal, the last column stands below.
#[must_use]
pub fn whole<const N: usize>(rows: &[[String; N]], width: usize) -> String {
    let text = plain(rows, usize::MAX);
    if text.lines().all(|line| measure_text_width(line) <= width) {
        return text;
    }
    let mut first: Vec<[String; N]> = rows.to_vec();
    for row in &mut first {
        row[N - 1].clear();
    }
    let mut text = String::new();
    for (line, row) in plain(&first, width).lines().zip(rows) {
        text.push_str(&format!("{line}\n"));
        if !row[N - 1].is_empty() {
            text.push_str(&format!("      {}\n", row[N - 1]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{plain, whole};

    #[test]
    fn what_must_be_whole_takes_another_line() {
        let rows = [["a".to_owned(), "long cell".to_owned()], ["bcd".to_owned(), String::new()]];
        assert_eq!(whole(&rows, 80), "  a    long cell\n  bcd\n");
        assert_eq!(whole(&rows, 10), "  a\n      long cell\n  bcd\n");
    }

    #[test]
    fn columns_are_aligned_and_cut_at_the_terminals_end() {
        let rows = [["a".to_owned(), "long cell".to_owned()], ["bcd".to_owned(), "e".to_owned()]];
        assert_eq!(plain(&rows, 80), "  a    long cell\n  bcd  e\n");
        assert_eq!(plain(&rows, 10), "  a    lo…\n  bcd  e\n");
    }
}
