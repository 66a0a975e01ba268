//! Rows of cells as lines whose columns align.

/// The rows as lines; cells of the columns for which `is_figure` holds end at the same place, all others start there.
/// Rows are as long as the first, the heading.
pub(crate) fn aligned(rows: &[Vec<String>], is_figure: impl Fn(usize) -> bool) -> Vec<String> {
    let n_columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if is_figure(column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_end_and_words_start_at_the_same_place() {
        let rows =
            [["set", "mse"], ["°C", "0.5"], ["load-7", "12.25"]].map(|row| row.map(String::from).to_vec());
        assert_eq!(aligned(&rows, |column| column == 1), ["set       mse", "°C        0.5", "load-7  12.25"]);
        assert!(aligned(&[], |_| true).is_empty());
    }
}
