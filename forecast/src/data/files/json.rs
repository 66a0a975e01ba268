//! Rows of JSON objects as columns: JSON lines, or one array.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::{Error, Result};

/// A column while its rows arrive; the narrowest kind that holds all of them.
#[derive(Debug)]
pub(in crate::data) enum JsonColumn {
    /// Nothing but nulls so far.
    Empty(usize),
    Integers(Vec<Option<i64>>),
    Numbers(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

/// Columns in the order of their first appearance.
#[derive(Debug, Default)]
pub(in crate::data) struct JsonTable {
    pub(in crate::data) columns: Vec<(String, JsonColumn)>,
    /// Where each column stands.
    places: HashMap<String, usize>,
    n_rows: usize,
}

/// One row as it stands in the file: the order of its keys is the order of the columns.
enum Row {
    Cells(Vec<(String, Value)>),
    /// Something else, by what to call it.
    Other(&'static str),
}

/// Rows times columns that are held at a time: rows that each name other columns would need more than memory.
const MOST_CELLS: usize = 1 << 26;

const FIX: &str = "write one object a row, such as {\"ds\": \"2024-05-31 13:00:00\", \"y\": 1.5}";

impl JsonTable {
    /// A table whose columns are known by the names of earlier rows.
    pub(in crate::data) fn with_names(names: &[String]) -> Self {
        let columns = names.iter().map(|name| (name.clone(), JsonColumn::Empty(0))).collect();
        let places = names.iter().cloned().enumerate().map(|(at, name)| (name, at)).collect();
        JsonTable { columns, places, n_rows: 0 }
    }

    /// Reads lines, each an object; `first_row` is the number of the first one.
    pub(in crate::data) fn read_lines(&mut self, bytes: &[u8], input: &str, first_row: usize) -> Result<()> {
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let row = first_row + self.n_rows;
            let cells: Row = serde_json::from_slice(line)
                .map_err(|error| unreadable(input, format!("row {row}: {error}; {FIX}")))?;
            self.push(cells, input, row)?;
        }
        Ok(())
    }

    /// Reads an array of objects.
    pub(in crate::data) fn read_array(&mut self, bytes: &[u8], input: &str) -> Result<()> {
        if !bytes.trim_ascii_start().starts_with(b"[") {
            return Err(unreadable(input, format!("it is not an array of rows; {FIX}")));
        }
        let rows: Vec<Row> =
            serde_json::from_slice(bytes).map_err(|error| unreadable(input, format!("{error}; {FIX}")))?;
        rows.into_iter().enumerate().try_for_each(|(row, value)| self.push(value, input, row + 1))
    }

    fn push(&mut self, row: Row, input: &str, number: usize) -> Result<()> {
        let cells = match row {
            Row::Cells(cells) => cells,
            Row::Other(kind) => {
                return Err(unreadable(input, format!("row {number} is {kind}, not an object; {FIX}")));
            }
        };
        let n_columns = self.columns.len().max(cells.len());
        if self.n_rows.saturating_mul(n_columns) > MOST_CELLS {
            let n_rows = self.n_rows + 1;
            let reason = format!(
                "row {number}: {n_rows} rows of {n_columns} columns are too many for JSON; give all rows the same few keys, or write CSV or Parquet"
            );
            return Err(unreadable(input, reason));
        }
        for (at, (name, cell)) in cells.into_iter().enumerate() {
            // Most rows have the same keys in the same order.
            let is_next = self.columns.get(at).is_some_and(|(column, _)| *column == name);
            let known = if is_next { Some(at) } else { self.places.get(&name).copied() };
            let place = known.unwrap_or_else(|| {
                self.places.insert(name.clone(), self.columns.len());
                self.columns.push((name, JsonColumn::Empty(self.n_rows)));
                self.columns.len() - 1
            });
            let (name, column) = &mut self.columns[place];
            if column.len() > self.n_rows {
                return Err(unreadable(
                    input,
                    format!("row {number}: \"{name}\" comes twice; keep one of them"),
                ));
            }
            push(column, cell).map_err(|found| nested(input, number, name, found))?;
        }
        self.n_rows += 1;
        for (_, column) in self.columns.iter_mut().filter(|(_, column)| column.len() < self.n_rows) {
            // A key that is absent is a missing cell.
            let _ = push(column, Value::Null);
        }
        Ok(())
    }
}

impl JsonColumn {
    fn len(&self) -> usize {
        match self {
            JsonColumn::Empty(n) => *n,
            JsonColumn::Integers(cells) => cells.len(),
            JsonColumn::Numbers(cells) => cells.len(),
            JsonColumn::Text(cells) => cells.len(),
        }
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = map.next_entry()? {
            cells.push(cell);
        }
        Ok(Row::Cells(cells))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Row::Other("an array"))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Row, E> {
        Ok(Row::Other(SINGLE))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Row, E> {
        Ok(Row::Other(SINGLE))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Row, E> {
        Ok(Row::Other(SINGLE))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Row, E> {
        Ok(Row::Other(SINGLE))
    }

    fn visit_str<E>(self, _: &str) -> Result<Row, E> {
        Ok(Row::Other(SINGLE))
    }

    fn visit_unit<E>(self) -> Result<Row, E> {
        Ok(Row::Other(SINGLE))
    }
}

const SINGLE: &str = "a single value";

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
        _ => SINGLE,
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
        let lines = b"{\"ds\":1,\"y\":2}\n{\"y\":2.5,\"z\":\"a\",\"ds\":2}\n\n{\"ds\":3,\"y\":null}\n";
        table.read_lines(lines, "t", 1).unwrap();
        assert_eq!(table.columns.iter().map(|(name, _)| &name[..]).collect::<Vec<_>>(), ["ds", "y", "z"]);
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
        for single in ["1", "-1", "1.5", "true", "null", "\"a\""] {
            assert!(
                message(format!("[{single}]").as_bytes()).contains("row 1 is a single value"),
                "{single}"
            );
        }
        assert!(message(b"[{\"y\":1,\"y\":2}]").contains("row 1: \"y\" comes twice"));
        let keys: String = (0..12_000).map(|key| format!("{{\"k{key}\":1}}\n")).collect();
        let error = JsonTable::default().read_lines(keys.as_bytes(), "t", 1).unwrap_err().to_string();
        assert!(error.contains("are too many for JSON; give all rows the same few keys"), "{error}");
        let error = JsonTable::default().read_lines(b"{\"y\":1}\n{y}", "t", 7).unwrap_err().to_string();
        assert!(error.contains("row 8"), "{error}");
    }
}
