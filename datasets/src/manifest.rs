//! What is known about each bundled data set: the types behind `manifest.toml`.

use std::collections::HashSet;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::DatasetError;

const MANIFEST: &str = include_str!("../manifest.toml");

/// One bundled data set: what it holds, whose it is, and under which licence.
///
/// The file's first column is [`time_column`](Self::time_column), its other columns are
/// [`columns`](Self::columns) in the order of the file. No cell is quoted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Dataset {
    /// The short name that users type, such as `electricity`.
    pub name: String,
    /// The file's name, without a folder.
    pub file: String,
    /// What the data are, as a heading.
    pub title: String,
    /// One sentence on content, range and defects, such as gaps and repeated stamps.
    pub description: String,
    /// Who made the data.
    pub creator: String,
    /// Where this copy comes from.
    pub source: String,
    /// The source's public page.
    pub source_url: String,
    /// The licence of the data as an SPDX expression.
    pub license: String,
    /// The page of the licence's text.
    pub license_url: String,
    /// What we changed.
    pub changes: String,
    /// The time from one row to the next, such as `1h`, `15min` or `1s`.
    pub step: String,
    /// Number of data rows, without the header.
    pub rows: usize,
    /// Name of the column that holds the time stamps.
    pub time_column: String,
    /// Name of the column that is forecast unless the user says otherwise.
    pub target: String,
    /// Steps in one season, or `None` for data without seasons.
    pub season_length: Option<usize>,
    /// Stamps, written as in the file, whose values are to be treated as missing.
    #[serde(default)]
    pub missing_at: Vec<String>,
    /// The file's hash, lower-case hexadecimal.
    pub sha256: String,
    /// Whether this set is used when the user names none.
    #[serde(default)]
    pub default: bool,
    /// The value columns, in the order of the file.
    pub columns: Vec<Column>,
}

/// One value column of a [`Dataset`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Column {
    /// The name in the file's header.
    pub name: String,
    /// The unit of the values, such as `kW`; `category` for a column of words.
    pub unit: String,
    /// What the values are.
    pub meaning: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    dataset: Vec<Dataset>,
}

/// Returns all bundled data sets, in the order of the manifest.
///
/// # Errors
/// [`DatasetError::Manifest`], [`DatasetError::DuplicateName`], [`DatasetError::Defaults`] or
/// [`DatasetError::UnknownTarget`] if the manifest inside the program is broken.
///
/// # Example
/// ```
/// for dataset in forecast_datasets::all()? {
///     println!("{:16} {:>6} rows, {}", dataset.name, dataset.rows, dataset.title);
/// }
/// # Ok::<(), forecast_datasets::DatasetError>(())
/// ```
pub fn all() -> Result<&'static [Dataset], DatasetError> {
    static DATASETS: OnceLock<Result<Vec<Dataset>, DatasetError>> = OnceLock::new();
    match DATASETS.get_or_init(|| parse(MANIFEST)) {
        Ok(datasets) => Ok(datasets),
        Err(error) => Err(error.clone()),
    }
}

/// Returns the data set of this name.
///
/// # Errors
/// [`DatasetError::UnknownName`], which lists the known names; and the errors of [`all`].
///
/// # Example
/// ```
/// let pv = forecast_datasets::find("pv")?;
/// assert_eq!((pv.step.as_str(), pv.season_length), ("15min", Some(96)));
/// assert!(forecast_datasets::find("PV").is_err());
/// # Ok::<(), forecast_datasets::DatasetError>(())
/// ```
pub fn find(name: &str) -> Result<&'static Dataset, DatasetError> {
    let datasets = all()?;
    datasets.iter().find(|dataset| dataset.name == name).ok_or_else(|| DatasetError::UnknownName {
        name: name.to_owned(),
        known: datasets.iter().map(|dataset| dataset.name.clone()).collect(),
    })
}

/// Returns the data set to use when the user names none.
///
/// # Errors
/// The errors of [`all`].
///
/// # Example
/// ```
/// assert_eq!(forecast_datasets::default_dataset()?.name, "electricity");
/// # Ok::<(), forecast_datasets::DatasetError>(())
/// ```
pub fn default_dataset() -> Result<&'static Dataset, DatasetError> {
    let default = all()?.iter().find(|dataset| dataset.default);
    default.ok_or(DatasetError::Defaults { n_defaults: 0 })
}

fn parse(text: &str) -> Result<Vec<Dataset>, DatasetError> {
    let datasets = toml::from_str::<Manifest>(text)?.dataset;
    let mut names = HashSet::new();
    for dataset in &datasets {
        if !names.insert(dataset.name.as_str()) {
            return Err(DatasetError::DuplicateName { name: dataset.name.clone() });
        }
        if !dataset.columns.iter().any(|column| column.name == dataset.target) {
            return Err(DatasetError::UnknownTarget {
                name: dataset.name.clone(),
                target: dataset.target.clone(),
            });
        }
    }
    match datasets.iter().filter(|dataset| dataset.default).count() {
        1 => Ok(datasets),
        n_defaults => Err(DatasetError::Defaults { n_defaults }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_documented_ones_and_electricity_is_the_default() {
        let names: Vec<_> = all().unwrap().iter().map(|dataset| dataset.name.as_str()).collect();
        let documented =
            ["electricity", "pv", "household-power", "metro-traffic", "appliances", "cycling", "water-flow"];
        assert_eq!(names, documented);
        assert_eq!(default_dataset().unwrap().name, "electricity");
    }

    #[test]
    fn unknown_name_lists_the_known_ones() {
        assert_eq!(
            find("load").unwrap_err().to_string(),
            "no data set is named \"load\"; known names: electricity, pv, household-power, \
             metro-traffic, appliances, cycling, water-flow"
        );
    }

    #[test]
    fn unknown_key_is_an_error_that_names_it() {
        let text = MANIFEST.replacen("title =", "titel =", 1);
        let error = parse(&text).unwrap_err();
        assert!(matches!(error, DatasetError::Manifest(_)));
        assert!(error.to_string().contains("titel"), "{error}");
    }

    #[test]
    fn two_defaults_and_none_are_errors() {
        let none = MANIFEST.replacen("default = true", "", 1);
        assert_eq!(parse(&none), Err(DatasetError::Defaults { n_defaults: 0 }));
        let two = MANIFEST.replacen("name = \"pv\"", "name = \"pv\"\ndefault = true", 1);
        assert_eq!(parse(&two), Err(DatasetError::Defaults { n_defaults: 2 }));
    }

    #[test]
    fn repeated_name_and_unknown_target_are_errors() {
        let twice = MANIFEST.replacen("name = \"pv\"", "name = \"electricity\"", 1);
        let error = parse(&twice).unwrap_err();
        assert_eq!(error, DatasetError::DuplicateName { name: "electricity".to_owned() });
        let target = MANIFEST.replacen("target = \"load\"", "target = \"lode\"", 1);
        let error = parse(&target).unwrap_err().to_string();
        let expected = "data set \"electricity\" has target \"lode\", which is not one of its columns";
        assert_eq!(error, expected);
    }
}
