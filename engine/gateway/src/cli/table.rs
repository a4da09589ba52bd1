//! Tables of plain text: columns as wide as they must be, numbers to the right.

use std::fmt::Write as _;

/// A table with a head. Cells that are missing are empty; control characters do not reach the terminal.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let cell = |row: &Vec<String>, column: usize| row.get(column).map(|it| clean(it)).unwrap_or_default();
    let mut lines = vec![String::new(); rows.len() + 1];
    for column in 0..head.len() {
        let cells: Vec<String> = std::iter::once(&head)
            .chain(rows)
            .map(|row| cell(row, column))
            .collect();
        let width = cells.iter().map(|it| it.chars().count()).max().unwrap_or(0);
        let numbers = !rows.is_empty() && cells.iter().skip(1).all(|it| is_number(it));
        let is_last = column + 1 == head.len();
        for (line, text) in lines.iter_mut().zip(cells) {
            if column > 0 {
                line.push_str("  ");
            }
            match (numbers, is_last) {
                (true, _) => drop(write!(line, "{text:>width$}")),
                (false, false) => drop(write!(line, "{text:<width$}")),
                (false, true) => line.push_str(&text),
            }
        }
    }
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// Text without what a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// A number with a unit or without, or nothing.
fn is_number(text: &str) -> bool {
    let bare = text.trim_start_matches(['-', '+', '$', '~']);
    text.is_empty() || text == "-" || bare.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cells: &[&[&str]]) -> Vec<Vec<String>> {
        let row = |row: &&[&str]| row.iter().map(|&it| it.to_owned()).collect();
        cells.iter().map(row).collect()
    }

    #[test]
    fn columns_are_aligned_and_numbers_stand_to_the_right() {
        let text = table(
            &["ROUTE", "SHARE", "STATE"],
            &rows(&[&["fast", "8.1 %", "closed"], &["größer", "10 %", "-"], &["x"]]),
        );
        assert_eq!(
            text,
            "ROUTE   SHARE  STATE\nfast    8.1 %  closed\ngrößer   10 %  -\nx\n"
        );
    }

    #[test]
    fn a_table_without_rows_has_a_head() {
        assert_eq!(table(&["A", "B"], &[]), "A  B\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert!(!table(&["A"], &rows(&[&["\u{1b}[31mred\n"]])).contains('\u{1b}'));
    }
}
