//! What a user says about covariates, in a small TOML file or by flags.
//!
//! ```toml
//! [covariates]
//! temperature = "future"
//! wind = { known = "past" }
//! region = { known = "static", kind = "categorical", unseen = "unknown" }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The most covariates of one data set.
pub(super) const MOST_COLUMNS: usize = 1_000;

/// For which steps the values of a covariate are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// Up to the cutoff, as the series itself: measured weather.
    Past,
    /// Ahead of it too: prices, plans, a weather forecast.
    Future,
    /// One value for the whole series: a region.
    Static,
}

/// What the values of a covariate are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CovariateKind {
    /// Numbers.
    #[default]
    Numeric,
    /// Names of categories, also such that look like numbers.
    Categorical,
}

/// What to do with a category that the training data do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unseen {
    /// Refuse it, naming the row.
    #[default]
    Error,
    /// Give it the slot that is kept for such.
    Unknown,
}

/// What a user says about one column. A bare word stands for `known`.
///
/// | field | default | meaning | values |
/// |---|---|---|---|
/// | `known` | none | for which steps | `past`, `future`, `static` |
/// | `kind` | `numeric` | what the values are | `numeric`, `categorical` |
/// | `unseen` | `error` | a category that training did not have | `error`, `unknown`; categorical only |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeclaredCovariate {
    /// For which steps it is known.
    pub known: Known,
    /// What its values are.
    pub kind: CovariateKind,
    /// What to do with a category that training did not have.
    pub unseen: Unseen,
}

/// What a user says about the columns of a data set, by name.
///
/// # Example
/// ```
/// use forecast::data::{CovariateDeclaration, CovariateFlags, Known};
/// let file: CovariateDeclaration = serde_json::from_str(
///     r#"{"covariates": {"temperature": "future", "region": {"known": "static", "kind": "categorical"}}}"#,
/// ).unwrap(); // the same in TOML
/// let flags = CovariateFlags { past_col: vec!["wind".into()], ..CovariateFlags::default() };
/// let declaration = file.with_flags(&flags)?;
/// assert_eq!(declaration.columns()["wind"].known, Known::Past);
/// assert!(declaration.with_flags(&flags).is_err()); // wind is declared already
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CovariateDeclaration {
    #[serde(rename = "covariates")]
    columns: BTreeMap<String, DeclaredCovariate>,
}

/// Columns as the flags `--past-col`, `--future-col`, `--static-col` and `--categorical-col` list them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CovariateFlags {
    /// Known up to the cutoff.
    pub past_col: Vec<String>,
    /// Known ahead.
    pub future_col: Vec<String>,
    /// One value for the whole series.
    pub static_col: Vec<String>,
    /// Those among all declared columns that hold categories.
    pub categorical_col: Vec<String>,
}

impl CovariateDeclaration {
    /// What is said about each column, by name.
    #[must_use]
    pub fn columns(&self) -> &BTreeMap<String, DeclaredCovariate> {
        &self.columns
    }

    /// True if nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// This declaration and the columns of flags.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a column is declared twice, or is categorical without being declared.
    pub fn with_flags(mut self, flags: &CovariateFlags) -> Result<Self> {
        for (flag, known, names) in [
            ("past-col", Known::Past, &flags.past_col),
            ("future-col", Known::Future, &flags.future_col),
            ("static-col", Known::Static, &flags.static_col),
        ] {
            for name in names {
                let declared =
                    DeclaredCovariate { known, kind: CovariateKind::default(), unseen: Unseen::default() };
                if let Some(earlier) = self.columns.insert(name.clone(), declared) {
                    let rule = format!("it is declared already, as {}", earlier.known);
                    return Err(Error::option(flag, format!("\"{name}\""), rule));
                }
            }
        }
        for name in &flags.categorical_col {
            let declared = self.columns.get_mut(name).ok_or_else(|| {
                let rule = "it is not a covariate; name it in past-col, future-col or static-col too";
                Error::option("categorical-col", format!("\"{name}\""), rule)
            })?;
            declared.kind = CovariateKind::Categorical;
        }
        self.check()?;
        Ok(self)
    }

    /// Nothing, if the declaration can be used.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there are too many columns, or `unseen` is said of a numeric one.
    pub fn check(&self) -> Result<()> {
        if self.columns.len() > MOST_COLUMNS {
            let rule = format!("there may be at most {MOST_COLUMNS}");
            return Err(Error::option("number of covariates", self.columns.len(), rule));
        }
        let odd = self
            .columns
            .iter()
            .find(|(_, column)| column.kind == CovariateKind::Numeric && column.unseen != Unseen::Error);
        match odd {
            Some((name, _)) => Err(Error::option(
                format!("unseen of covariate \"{name}\""),
                "unknown",
                "it needs kind = \"categorical\"",
            )),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Known::Past => "past",
            Known::Future => "future",
            Known::Static => "static",
        })
    }
}

impl fmt::Display for CovariateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CovariateKind::Numeric => "numeric",
            CovariateKind::Categorical => "categorical",
        })
    }
}

impl<'de> Deserialize<'de> for DeclaredCovariate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            known: Known,
            #[serde(default)]
            kind: CovariateKind,
            #[serde(default)]
            unseen: Unseen,
        }

        struct WordOrTable;

        impl<'de> Visitor<'de> for WordOrTable {
            type Value = DeclaredCovariate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"past\", \"future\", \"static\" or a table with `known`")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Self::Value, E> {
                let known = Known::deserialize(StrDeserializer::new(word))?;
                Ok(DeclaredCovariate { known, kind: CovariateKind::default(), unseen: Unseen::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Table { known, kind, unseen } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(DeclaredCovariate { known, kind, unseen })
            }
        }

        deserializer.deserialize_any(WordOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<CovariateDeclaration, serde_json::Error> {
        serde_json::from_str(&format!("{{\"covariates\": {json}}}"))
    }

    #[test]
    fn words_tables_and_flags_say_the_same() {
        let short = read(r#"{"a": "future", "b": "past"}"#).unwrap();
        let long = read(r#"{"b": {"known": "past"}, "a": {"known": "future", "kind": "numeric"}}"#).unwrap();
        assert_eq!(short, long);
        let flags = CovariateFlags {
            past_col: vec!["b".into()],
            future_col: vec!["a".into()],
            static_col: vec!["c".into()],
            categorical_col: vec!["c".into()],
        };
        let flags = CovariateDeclaration::default().with_flags(&flags).unwrap();
        let file = read(r#"{"a": "future", "b": "past", "c": {"known": "static", "kind": "categorical"}}"#);
        assert_eq!(flags, file.unwrap());
    }

    #[test]
    fn unknown_words_and_keys_are_named_with_those_that_exist() {
        for (json, parts) in [
            (r#"{"a": "futur"}"#, ["futur", "`past`"]),
            (r#"{"a": {"known": "past", "type": "x"}}"#, ["type", "`kind`"]),
            (r#"{"a": {"kind": "numeric"}}"#, ["missing field", "`known`"]),
            (r#"{"a": {"known": "past", "kind": "category"}}"#, ["category", "`categorical`"]),
            (r#"{"a": 3}"#, ["3", "`known`"]),
        ] {
            let message = read(json).unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
        assert!(serde_json::from_str::<CovariateDeclaration>(r#"{"covariate": {}}"#).is_err());
    }

    #[test]
    fn columns_declared_twice_or_halfway_are_errors() {
        let error = |flags: CovariateFlags| {
            read(r#"{"a": "future"}"#).unwrap().with_flags(&flags).unwrap_err().to_string()
        };
        let a = || vec!["a".to_string()];
        let twice = error(CovariateFlags { past_col: a(), ..CovariateFlags::default() });
        assert_eq!(twice, "past-col is \"a\", but it is declared already, as future");
        let undeclared = CovariateFlags { categorical_col: vec!["z".into()], ..CovariateFlags::default() };
        assert!(error(undeclared).contains("\"z\", but it is not a covariate"));
        let odd = read(r#"{"a": {"known": "past", "unseen": "unknown"}}"#).unwrap().check().unwrap_err();
        assert!(odd.to_string().contains("covariate \"a\" is unknown, but it needs kind"), "{odd}");
        let many =
            CovariateFlags { past_col: (0..1_001).map(|i| i.to_string()).collect(), ..Default::default() };
        assert!(error(many).contains("at most 1000"));
    }
}
