//! The values of all keys: defaults, then the file, then the environment, then the command line.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::ConfigError;
use super::setting::{Setting, Value};

/// Checked values by key.
#[derive(Debug, Clone)]
pub struct Values {
    settings: Vec<Setting>,
    values: BTreeMap<&'static str, Value>,
}

impl Values {
    /// The defaults of these settings.
    pub(super) fn of(settings: Vec<Setting>) -> Self {
        let values = settings.iter().filter(|setting| !setting.default.is_empty());
        // A test holds every default against its range.
        let values = values.filter_map(|s| Some((s.key, s.kind.parse(s.default).ok()?))).collect();
        Values { settings, values }
    }

    /// Every setting there is, in the order of the documentation.
    pub(super) fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// Sets a key from a text; `source` says where it stood. An empty text takes a value away that has no default.
    ///
    /// # Errors
    /// [`ConfigError::UnknownKey`], [`ConfigError::BadValue`].
    pub(super) fn set(&mut self, key: &str, text: &str, source: &str) -> Result<(), ConfigError> {
        let Some(setting) = self.settings.iter().find(|setting| setting.key == key) else {
            return Err(ConfigError::unknown(key, source, self.settings.iter().map(|setting| setting.key)));
        };
        if text.is_empty() && setting.default.is_empty() {
            self.values.remove(setting.key);
            return Ok(());
        }
        let value = setting.kind.parse(text).map_err(|rule| ConfigError::BadValue {
            key: key.to_string(),
            value: text.to_string(),
            rule,
            source_name: source.to_string(),
        })?;
        self.values.insert(setting.key, value);
        Ok(())
    }

    /// Whether it has a value.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A whole number or a number of bytes.
    #[must_use]
    pub fn number(&self, key: &str) -> u64 {
        match self.values.get(key) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    /// A whole number that counts things in memory.
    #[must_use]
    pub fn count(&self, key: &str) -> usize {
        usize::try_from(self.number(key)).unwrap_or(usize::MAX)
    }

    /// A time.
    #[must_use]
    pub fn time(&self, key: &str) -> Duration {
        match self.values.get(key) {
            Some(Value::Time(time)) => *time,
            _ => Duration::ZERO,
        }
    }

    /// Yes or no.
    #[must_use]
    pub fn switch(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(Value::Switch(true)))
    }

    /// A word or a path as text; empty where it is not set.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        match self.values.get(key) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    /// A path, if it is set.
    #[must_use]
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        Some(self.text(key)).filter(|text| !text.is_empty()).map(PathBuf::from)
    }

    /// An address of an interface.
    #[must_use]
    pub fn address(&self, key: &str) -> IpAddr {
        self.text(key).parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }
}
