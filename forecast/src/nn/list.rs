//! Settings that are lists: `["prob", "full"]`, one value, or text such as `prob,full`.

use serde::de::{DeserializeOwned, Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reads the list; empty text is an empty list.
pub(crate) fn deserialize<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Serialize,
{
    let one = |value: Value| serde_json::from_value(value).map_err(D::Error::custom);
    match Value::deserialize(deserializer)? {
        Value::Array(values) => values.into_iter().map(one).collect(),
        Value::String(text) if text.trim().is_empty() => Ok(Vec::new()),
        Value::String(text) => {
            let part = |part: &str| {
                let part = part.trim();
                one(serde_json::from_str(part).unwrap_or_else(|_| Value::from(part)))
            };
            text.split(',').map(part).collect()
        }
        value => Ok(vec![one(value)?]),
    }
}
