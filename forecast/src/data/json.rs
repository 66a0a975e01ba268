//! Rows of JSON objects as columns: JSON lines, or one array.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// A column while its rows arrive; the narrowest kind that holds all of them.
#[derive(Debug)]
pub(super) enum JsonColumn {
    /// Nothing but nulls so far.
    Empty(usize),
    Integers(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

/// Columns in the order of their first appearance.
#[derive(Debug, Default)]
pub(super) struct JsonTable {
    pub(super) columns: Vec<(String, JsonColumn)>,
    n_rows: usize,
}

const FIX: &str = "write one object a row, such as {\"ds\": \"2024-05-31 13:00:00\", \"y\": 1.5}";

impl JsonTable {
    /// A table whose columns are known by the names of earlier rows.
    pub(super) fn with_names(names: &[String]) -> Self {
        let columns = names.iter().map(|name| (name.clone(), JsonColumn::Empty(0))).collect();
        JsonTable { columns, n_rows: 0 }
    }

    /// Reads lines, each an object; `first_row` is the number of the first one.
    pub(super) fn read_lines(&mut self, bytes: &[u8], input: &str, first_row: usize) -> Result<()> {
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let row = first_row + self.n_rows;
            let value: Value = serde_json::from_slice(line)
                .map_err(|error| unreadable(input, format!("row {row}: {error}; {FIX}")))?;
            self.push(value, input, row)?;
        }
        Ok(())
    }

    /// Reads an array of objects.
    pub(super) fn read_array(&mut self, bytes: &[u8], input: &str) -> Result<()> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| unreadable(input, format!("{error}; {FIX}")))?;
        let Value::Array(rows) = value else {
            return Err(unreadable(input, format!("it is not an array of rows; {FIX}")));
        };
        rows.into_iter().enumerate().try_for_each(|(row, value)| self.push(value, input, row + 1))
    }

    fn push(&mut self, row: Value, input: &str, number: usize) -> Result<()> {
        let Value::Object(mut cells) = row else {
            return Err(unreadable(input, format!("row {number} is {}, not an object; {FIX}", kind(&row))));
        };
        for (name, column) in &mut self.columns {
            let cell = cells.remove(name).unwrap_or(Value::Null);
            push(column, cell).map_err(|found| nested(input, number, name, found))?;
        }
        self.add_columns(cells, input, number)?;
        self.n_rows += 1;
        Ok(())
    }

    fn add_columns(&mut self, cells: Map<String, Value>, input: &str, number: usize) -> Result<()> {
        for (name, cell) in cells {
            let mut column = JsonColumn::Empty(self.n_rows);
            push(&mut column, cell).map_err(|found| nested(input, number, &name, found))?;
            self.columns.push((name, column));
        }
        Ok(())
    }
}

fn unreadable(input: &str, reason: String) -> Error {
    Error::Unreadable { input: input.to_string(), format: "JSON", reason }
}

fn nested(input: &str, row: usize, column: &str, found: &str) -> Error {
    let reason = format!("row {row}: \"{column}\" holds {found}, not a number or text");
    unreadable(input, reason)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
        _ => "a single value",
    }
}

/// Adds a cell, widening the column if it has to; arrays and objects are named.
fn push(column: &mut JsonColumn, cell: Value) -> Result<(), &'static str> {
    let cell = match cell {
        Value::Array(_) | Value::Object(_) => return Err(kind(&cell)),
        Value::Bool(flag) => Value::from(u8::from(flag)),
        other => other,
    };
    loop {
        match (&mut *column, &cell) {
            (JsonColumn::Empty(n), Value::Null) => *n += 1,
            (JsonColumn::Integers(cells), Value::Null) => cells.push(None),
            (JsonColumn::Numbers(cells), Value::Null) => cells.push(None),
            (JsonColumn::Text(cells), Value::Null) => cells.push(None),
            (JsonColumn::Integers(cells), Value::Number(number)) if number.is_i64() => {
                cells.push(number.as_i64());
            }
            (JsonColumn::Numbers(cells), Value::Number(number)) => cells.push(number.as_f64()),
            (JsonColumn::Text(cells), Value::String(text)) => cells.push(Some(text.clone())),
            (JsonColumn::Text(cells), other) => cells.push(Some(other.to_string())),
            (narrow, wide) => {
                let wider = widened(narrow, wide);
                *column = wider;
                continue;
            }
        }
        return Ok(());
    }
}

/// The same cells in a kind that also holds `cell`.
fn widened(column: &JsonColumn, cell: &Value) -> JsonColumn {
    match (column, cell) {
        (JsonColumn::Empty(n), Value::Number(number)) if number.is_i64() => {
            JsonColumn::Integers(vec![None; *n])
        }
        (JsonColumn::Empty(n), Value::Number(_)) => JsonColumn::Numbers(vec![None; *n]),
        (JsonColumn::Empty(n), _) => JsonColumn::Text(vec![None; *n]),
        (JsonColumn::Integers(cells), Value::Number(_)) => {
            JsonColumn::Numbers(cells.iter().map(|cell| cell.map(|v| v as f64)).collect())
        }
        (JsonColumn::Integers(cells), _) => {
            JsonColumn::Text(cells.iter().map(|cell| cell.map(|v| v.to_string())).collect())
        }
        (JsonColumn::Numbers(cells), _) => {
            JsonColumn::Text(cells.iter().map(|cell| cell.map(|v| v.to_string())).collect())
        }
        (JsonColumn::Text(cells), _) => JsonColumn::Text(cells.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_take_the_narrowest_kind_and_absent_keys_are_missing() {
        let mut table = JsonTable::default();
        let lines = b"{\"ds\":1,\"y\":2}\n{\"ds\":2,\"y\":2.5,\"z\":\"a\"}\n\n{\"ds\":3,\"y\":null}\n";
        table.read_lines(lines, "t", 1).unwrap();
        let column = |name: &str| &table.columns.iter().find(|(n, _)| n == name).unwrap().1;
        assert!(matches!(column("ds"), JsonColumn::Integers(v) if *v == [Some(1), Some(2), Some(3)]));
        assert!(matches!(column("y"), JsonColumn::Numbers(v) if *v == [Some(2.0), Some(2.5), None]));
        assert!(matches!(column("z"), JsonColumn::Text(v) if *v == [None, Some("a".to_string()), None]));
    }

    #[test]
    fn what_is_not_a_row_is_named_with_the_fix() {
        let message = |json: &[u8]| JsonTable::default().read_array(json, "t.json").unwrap_err().to_string();
        assert!(message(b"[[1,2],[3,4]]").contains("row 1 is an array, not an object; write one object"));
        assert!(message(b"[{\"y\":{\"a\":1}}]").contains("row 1: \"y\" holds an object"));
        assert!(message(b"{\"y\":1}").contains("not an array of rows"));
        let error = JsonTable::default().read_lines(b"{\"y\":1}\n{y}", "t", 7).unwrap_err().to_string();
        assert!(error.contains("row 8"), "{error}");
    }
}
