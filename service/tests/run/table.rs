//! CSV as the program writes it, read without the program's own reader.

/// A table whose cells need no quotes.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn csv(text: &str) -> Self {
        assert!(!text.contains('"') && text.ends_with('\n'), "{text}");
        let split = |line: &str| line.split(',').map(String::from).collect::<Vec<_>>();
        let mut lines = text.lines();
        let header = split(lines.next().unwrap());
        let rows: Vec<Vec<String>> = lines.map(split).collect();
        assert!(rows.iter().all(|row| row.len() == header.len()), "rows differ in length");
        Table { header, rows }
    }

    /// The cells of a column.
    pub(crate) fn text(&self, column: &str) -> Vec<&str> {
        let at = self.header.iter().position(|name| name == column);
        let at = at.unwrap_or_else(|| panic!("no column {column} in {:?}", self.header));
        self.rows.iter().map(|row| row[at].as_str()).collect()
    }

    /// The numbers of a column, NaN where a cell is empty.
    pub(crate) fn numbers(&self, column: &str) -> Vec<f64> {
        let number = |cell: &str| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() };
        self.text(column).into_iter().map(number).collect()
    }
}
