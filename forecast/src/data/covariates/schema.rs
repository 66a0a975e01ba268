//! The covariates of a model: their columns, and the categories that training had.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::declaration::{CovariateDeclaration, CovariateKind, Known, MOST_COLUMNS};
use super::vocabulary::Vocabulary;
use crate::data::Cells;
use crate::{Error, Result};

/// One covariate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CovariateColumn {
    /// The name of the column.
    pub name: String,
    /// For which steps it is known.
    pub known: Known,
    /// The categories; none for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<Vocabulary>,
}

/// The covariates of a model, those known in the past first, then those known ahead, then static ones; each by
/// name, however they were declared.
///
/// # Example
/// ```
/// use forecast::data::{Cells, CovariateDeclaration, CovariateFlags, CovariateSchema, Known};
/// let flags = CovariateFlags {
///     future_col: vec!["weather".into()],
///     categorical_col: vec!["weather".into()],
///     ..CovariateFlags::default()
/// };
/// let declaration = CovariateDeclaration::default().with_flags(&flags)?;
/// let table = [("weather".to_string(), Cells::Text(vec!["sun".into(), "rain".into(), "".into()]))];
/// let schema = CovariateSchema::fit(&declaration, &table, "load.csv")?;
/// assert_eq!(schema.of(Known::Future).len(), 1);
/// let codes = schema.encode(&table, "load.csv")?;
/// assert_eq!((codes[0][0], codes[0][1]), (1.0, 0.0)); // rain is 0, sun is 1
/// assert!(codes[0][2].is_nan());
/// let snow = [("weather".to_string(), Cells::Text(vec!["snow".into()]))];
/// assert!(schema.encode(&snow, "new.csv").is_err());
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<CovariateColumn>", try_from = "Vec<CovariateColumn>")]
pub struct CovariateSchema {
    columns: Vec<CovariateColumn>,
}

impl CovariateSchema {
    /// The schema of a declaration, with the categories of the training table.
    ///
    /// # Errors
    /// As [`CovariateDeclaration::check`]; [`Error::NoSuchColumn`] if a declared column is not in the table;
    /// [`Error::AllMissing`] if it has no cell; [`Error::BadOption`] if it has too many categories.
    pub fn fit(declaration: &CovariateDeclaration, table: &[(String, Cells)], input: &str) -> Result<Self> {
        Self::of_categories(declaration, |name, kind| {
            let cells = column(table, name, input)?;
            let mut present = (0..cells.len()).filter_map(|row| cells.present(row)).peekable();
            if present.peek().is_none() {
                return Err(all_missing(input, name, cells.len()));
            }
            Ok(match kind {
                CovariateKind::Numeric => Vec::new(),
                CovariateKind::Categorical => {
                    present.map(std::borrow::Cow::into_owned).collect::<HashSet<_>>().into_iter().collect()
                }
            })
        })
    }

    /// The schema of a declaration; `categories` tells those of a column, in any order, none for numbers.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and what `categories` says.
    pub(in crate::data) fn of_categories(
        declaration: &CovariateDeclaration,
        mut categories: impl FnMut(&str, CovariateKind) -> Result<Vec<String>>,
    ) -> Result<Self> {
        declaration.check()?;
        let columns = declaration.columns().iter().map(|(name, declared)| {
            let found = categories(name, declared.kind)?;
            let vocabulary = match declared.kind {
                CovariateKind::Numeric => None,
                CovariateKind::Categorical => {
                    let vocabulary = Vocabulary::new(found, declared.unseen);
                    Some(vocabulary.map_err(|error| named(error, name))?)
                }
            };
            Ok(CovariateColumn { name: name.clone(), known: declared.known, vocabulary })
        });
        let mut columns: Vec<_> = columns.collect::<Result<_>>()?;
        columns.sort_by(|a, b| key(a).cmp(&key(b)));
        Ok(CovariateSchema { columns })
    }

    /// All columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[CovariateColumn] {
        &self.columns
    }

    /// The columns that are known so, by name.
    #[must_use]
    pub fn of(&self, known: Known) -> &[CovariateColumn] {
        let start = self.columns.partition_point(|column| column.known < known);
        let end = self.columns.partition_point(|column| column.known <= known);
        &self.columns[start..end]
    }

    /// True if there are no covariates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// A column of a table by name.
pub(super) fn column<'a>(table: &'a [(String, Cells)], name: &str, input: &str) -> Result<&'a Cells> {
    table.iter().find(|(known, _)| known == name).map(|(_, cells)| cells).ok_or_else(|| Error::NoSuchColumn {
        input: input.to_string(),
        column: name.to_string(),
        columns: table.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
    })
}

fn key(column: &CovariateColumn) -> (Known, &str) {
    (column.known, &column.name)
}

/// A column that has no cell at all.
pub(super) fn all_missing(input: &str, column: &str, n_rows: usize) -> Error {
    Error::AllMissing { series: input.to_string(), place: format!("covariate \"{column}\""), steps: n_rows }
}

/// An error about a setting, with the column that it is about.
pub(super) fn named(error: Error, column: &str) -> Error {
    match error {
        Error::BadOption { field, value, rule } => {
            Error::BadOption { field: format!("{field} of covariate \"{column}\""), value, rule }
        }
        other => other,
    }
}

impl From<CovariateSchema> for Vec<CovariateColumn> {
    fn from(schema: CovariateSchema) -> Self {
        schema.columns
    }
}

impl TryFrom<Vec<CovariateColumn>> for CovariateSchema {
    type Error = Error;

    /// Refuses what [`CovariateSchema::fit`] would not make.
    fn try_from(columns: Vec<CovariateColumn>) -> Result<Self> {
        let mut names = HashSet::new();
        let is_sound = columns.len() <= MOST_COLUMNS
            && columns.is_sorted_by(|a, b| key(a) < key(b))
            && columns.iter().all(|column| names.insert(&column.name))
            && columns.iter().filter_map(|column| column.vocabulary.as_ref()).all(Vocabulary::is_sound);
        if !is_sound {
            let rule = "columns and categories must be sorted, each there once, and not too many";
            return Err(Error::option("covariates", format!("{} columns", columns.len()), rule));
        }
        Ok(CovariateSchema { columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CovariateFlags, Unseen};

    fn declaration() -> CovariateDeclaration {
        serde_json::from_str(
            r#"{"covariates": {"b": "future", "z": "past", "a": "future",
                "r": {"known": "static", "kind": "categorical", "unseen": "unknown"}}}"#,
        )
        .unwrap()
    }

    fn table() -> Vec<(String, Cells)> {
        let numbers = |name: &str| (name.to_string(), Cells::Numbers(vec![1.0, f64::NAN]));
        let regions = Cells::Text(vec![" south".into(), "NA".into()]);
        vec![numbers("z"), numbers("a"), ("r".into(), regions), numbers("b"), numbers("y")]
    }

    #[test]
    fn columns_are_ordered_by_when_they_are_known_then_by_name() {
        let schema = CovariateSchema::fit(&declaration(), &table(), "t.csv").unwrap();
        let names = |known: Known| schema.of(known).iter().map(|c| c.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names(Known::Past), names(Known::Future)), (vec!["z"], vec!["a", "b"]));
        let [region] = schema.of(Known::Static) else { panic!() };
        let vocabulary = region.vocabulary.as_ref().unwrap();
        assert_eq!((vocabulary.categories(), vocabulary.unseen()), (&["south".into()][..], Unseen::Unknown));
        assert_eq!(schema.columns().len(), 4);
    }

    #[test]
    fn schemas_survive_json_and_damaged_ones_are_refused() {
        let schema = CovariateSchema::fit(&declaration(), &table(), "t.csv").unwrap();
        let json = serde_json::to_string(&schema).unwrap();
        assert_eq!(
            json,
            r#"[{"name":"z","known":"past"},{"name":"a","known":"future"},{"name":"b","known":"future"},{"name":"r","known":"static","vocabulary":{"categories":["south"],"unseen":"unknown"}}]"#
        );
        assert_eq!(serde_json::from_str::<CovariateSchema>(&json).unwrap(), schema);
        for (part, by) in [(r#""z""#, r#""a""#), (r#""b""#, r#""a""#), (r#"["south"]"#, r#"["b","a"]"#)] {
            let damaged = json.replace(part, by);
            assert!(serde_json::from_str::<CovariateSchema>(&damaged).is_err(), "{damaged}");
        }
    }

    #[test]
    fn columns_that_are_not_there_or_empty_are_named() {
        let error = |table: &[(String, Cells)]| {
            CovariateSchema::fit(&declaration(), table, "t.csv").unwrap_err().to_string()
        };
        let message = error(&table()[..2]);
        assert_eq!(message, "\"t.csv\" has no column \"b\"; its columns are z, a");
        let mut empty = table();
        empty[2].1 = Cells::Text(vec!["".into(), "?".into()]);
        assert!(error(&empty).contains("no observed value in covariate \"r\" (2 steps"));
        let many = Cells::Integers((0..10_001).collect());
        let flags = CovariateFlags {
            past_col: vec!["k".into()],
            categorical_col: vec!["k".into()],
            ..Default::default()
        };
        let declaration = CovariateDeclaration::default().with_flags(&flags).unwrap();
        let message = CovariateSchema::fit(&declaration, &[("k".into(), many)], "t.csv").unwrap_err();
        assert!(
            message.to_string().starts_with("number of categories of covariate \"k\" is 10001"),
            "{message}"
        );
    }
}
