//! From the cells of a table to numbers: categories become codes, missing cells NaN.

use super::schema::{CovariateColumn, CovariateSchema, column};
use super::vocabulary::Vocabulary;
use crate::data::Cells;
use crate::{Error, Result};

/// Categories that a message lists.
const LISTED: usize = 5;

impl CovariateSchema {
    /// The columns of a table as numbers, in the order of the schema, a value a row; NaN where a cell is missing.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`] if a column is not there; [`Error::BadOption`] with row and value if a cell is not
    /// a number or infinite, or holds a category that training did not have and that has no slot.
    pub fn encode(&self, table: &[(String, Cells)], input: &str) -> Result<Vec<Vec<f64>>> {
        let columns = self.columns().iter();
        columns.map(|known| known.encode(column(table, &known.name, input)?, input)).collect()
    }
}

impl CovariateColumn {
    /// The cells of this column as numbers.
    ///
    /// # Errors
    /// As [`CovariateSchema::encode`].
    pub fn encode(&self, cells: &Cells, input: &str) -> Result<Vec<f64>> {
        (0..cells.len())
            .map(|row| {
                let bad = |value: &str, rule: &str| {
                    let place = format!("\"{input}\", row {}: covariate \"{}\"", row + 1, self.name);
                    Error::option(place, format!("\"{value}\""), rule)
                };
                match (&self.vocabulary, cells) {
                    // Numbers need no detour over their text.
                    (None, Cells::Numbers(numbers)) if !numbers[row].is_infinite() => Ok(numbers[row]),
                    (None, Cells::Stamps(..)) => {
                        Err(bad(&cells.text(row).unwrap_or_default(), "a time stamp is no number"))
                    }
                    (None, _) => {
                        let Some(cell) = cells.present(row) else { return Ok(f64::NAN) };
                        let number = cell.parse().ok().filter(|number: &f64| number.is_finite());
                        let rule = "it must be a finite number; leave the cell empty where the value is missing, or declare the column categorical";
                        number.ok_or_else(|| bad(&cell, rule))
                    }
                    (Some(vocabulary), _) => {
                        let Some(cell) = cells.present(row) else { return Ok(f64::NAN) };
                        let code = vocabulary.code(&cell);
                        let code = code.ok_or_else(|| unseen(vocabulary, input, row + 1, &self.name, &cell));
                        code.map(|code| code as f64)
                    }
                }
            })
            .collect()
    }

    /// A value as people write it: the category of a code, or the number.
    #[must_use]
    pub fn tell(&self, value: f64) -> String {
        let Some(vocabulary) = &self.vocabulary else { return value.to_string() };
        let code = (value >= 0.0 && value < vocabulary.n_codes() as f64).then_some(value as usize);
        code.and_then(|code| vocabulary.category(code)).unwrap_or("unknown").to_string()
    }

    /// The one value of a static covariate, out of the values of a series' rows; NaN if all are.
    ///
    /// `stamp` tells the stamp of a row.
    ///
    /// # Errors
    /// [`Error::VaryingStatic`] names the series, two stamps and their values.
    pub fn only_value(
        &self,
        series: &str,
        values: impl IntoIterator<Item = f64>,
        stamp: impl Fn(usize) -> String,
    ) -> Result<f64> {
        let mut present = values.into_iter().enumerate().filter(|(_, value)| !value.is_nan());
        let Some((first_row, first)) = present.next() else { return Ok(f64::NAN) };
        match present.find(|(_, value)| value.to_bits() != first.to_bits()) {
            None => Ok(first),
            Some((row, value)) => Err(Error::VaryingStatic {
                series: series.to_string(),
                column: self.name.clone(),
                first: format!("{} at {}", self.tell(first), stamp(first_row)),
                other: format!("{} at {}", self.tell(value), stamp(row)),
            }),
        }
    }
}

/// A category that training did not have, in a row counted from 1.
pub(super) fn unseen(known: &Vocabulary, input: &str, row: usize, column: &str, cell: &str) -> Error {
    let categories = known.categories();
    let more = if categories.len() > LISTED { ", ..." } else { "" };
    let listed = categories[..categories.len().min(LISTED)].join(", ");
    let rule = format!(
        "the model knows {listed}{more}; fit it again with this category, or declare the column with unseen = \"unknown\""
    );
    Error::option(format!("\"{input}\", row {row}: covariate \"{column}\""), format!("\"{cell}\""), rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CovariateDeclaration, Format, decode};

    const CSV: &str = "t,k,code\n1.5,north,007\n,south,7\nNA,north,\n-2,NA,7\n";

    fn schema(unseen: &str) -> CovariateSchema {
        let json = format!(
            r#"{{"covariates": {{"t": "past", "k": {{"known": "past", "kind": "categorical", "unseen": "{unseen}"}}}}}}"#
        );
        let declaration: CovariateDeclaration = serde_json::from_str(&json).unwrap();
        CovariateSchema::fit(&declaration, &table(CSV), "t.csv").unwrap()
    }

    fn table(csv: &str) -> Vec<(String, Cells)> {
        decode(csv.as_bytes(), "t.csv", Format::Csv).unwrap()
    }

    fn bits(values: &[f64]) -> Vec<u64> {
        values.iter().map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect()
    }

    #[test]
    fn cells_become_codes_and_numbers_and_missing_ones_nan() {
        let nan = f64::NAN;
        for (unseen, first) in [("error", 0.0), ("unknown", 1.0)] {
            let schema = schema(unseen);
            let encoded = schema.encode(&table(CSV), "t.csv").unwrap();
            assert_eq!(bits(&encoded[0]), bits(&[first, first + 1.0, first, nan]), "{unseen}");
            assert_eq!(bits(&encoded[1]), bits(&[1.5, nan, nan, -2.0]));
            let told: Vec<_> = encoded[0][..3].iter().map(|code| schema.columns()[0].tell(*code)).collect();
            assert_eq!(told, ["north", "south", "north"]);
        }
    }

    #[test]
    fn an_unseen_category_is_an_error_or_the_slot() {
        let new = table("t,k\n1,west\n");
        let message = schema("error").encode(&new, "new.csv").unwrap_err().to_string();
        assert_eq!(
            message,
            "\"new.csv\", row 1: covariate \"k\" is \"west\", but the model knows north, south; fit it again with this category, or declare the column with unseen = \"unknown\""
        );
        let schema = schema("unknown");
        assert_eq!(bits(&schema.encode(&new, "new.csv").unwrap()[0]), bits(&[0.0]));
        assert_eq!(schema.columns()[0].tell(0.0), "unknown");
    }

    #[test]
    fn categories_that_look_like_numbers_are_names() {
        let integers = Cells::Integers(vec![2, 1]);
        let numbers = Cells::Numbers(vec![2.0, 1.0]);
        let text = Cells::Text(vec!["2".into(), "1".into()]);
        let declaration: CovariateDeclaration =
            serde_json::from_str(r#"{"covariates": {"k": {"known": "past", "kind": "categorical"}}}"#)
                .unwrap();
        let fit = |cells: Cells| CovariateSchema::fit(&declaration, &[("k".into(), cells)], "t").unwrap();
        assert_eq!(fit(integers.clone()), fit(numbers.clone()));
        let schema = fit(numbers);
        assert_eq!(
            bits(&schema.columns()[0].encode(&text, "t").unwrap()),
            bits(&schema.columns()[0].encode(&integers, "t").unwrap())
        );
    }

    #[test]
    fn cells_that_are_no_finite_numbers_are_named() {
        let schema = schema("error");
        let error = |cell: &str| schema.encode(&table(&format!("t,k\n1,north\n{cell},north\n")), "t.csv");
        for cell in ["offline", "inf", "1e999"] {
            let message = error(cell).unwrap_err().to_string();
            assert!(message.contains("row 2: covariate \"t\"") && message.contains("finite"), "{message}");
        }
        assert!(schema.encode(&table("t\n1\n"), "t.csv").unwrap_err().to_string().contains("\"k\""));
    }

    #[test]
    fn a_static_value_is_the_same_on_every_row_that_has_one() {
        let schema = schema("error");
        let region = &schema.columns()[0];
        let value = |values: &[f64]| {
            region.only_value("s", values.iter().copied(), |row| format!("2024-01-0{}", row + 1))
        };
        assert_eq!(bits(&[value(&[f64::NAN, 1.0, 1.0]).unwrap()]), bits(&[1.0]));
        assert!(value(&[f64::NAN]).unwrap().is_nan() && value(&[]).unwrap().is_nan());
        let message = value(&[f64::NAN, 1.0, f64::NAN, 0.0]).unwrap_err().to_string();
        assert!(
            message.starts_with(
                "series \"s\": static covariate \"k\" is south at 2024-01-02, but north at 2024-01-04"
            ),
            "{message}"
        );
    }
}
