//! What is wrong with a configuration.

use std::path::PathBuf;

/// An error of a configuration: the key, the value, where it stood, the rule.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or is no TOML.
    #[error("cannot read the configuration {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is no such key.
    #[error("unknown key {key} in {source_name}{hint}")]
    UnknownKey {
        /// What was written.
        key: String,
        /// Where.
        source_name: String,
        /// A key that is meant, perhaps.
        hint: String,
    },
    /// A value breaks its rule.
    #[error("{key} is {value} in {source_name}, but {rule}")]
    BadValue {
        /// The key.
        key: String,
        /// What was written.
        value: String,
        /// What it has to be.
        rule: String,
        /// Where it stood.
        source_name: String,
    },
    /// Values that do not go together.
    #[error("{rule}")]
    Together {
        /// What they break.
        rule: String,
    },
}

impl ConfigError {
    pub(super) fn unknown<'a>(key: &str, source: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let nearest = known.map(|known| (distance(key, known), known)).min();
        let hint = match nearest {
            Some((distance, known)) if distance <= 3 => format!("; did you mean {known}?"),
            _ => "; service/README.md lists the keys".to_string(),
        };
        ConfigError::UnknownKey { key: key.to_string(), source_name: source.to_string(), hint }
    }
}

/// Insertions, deletions and changes that turn one text into another.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
