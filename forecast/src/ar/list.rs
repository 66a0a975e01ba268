//! Settings that are one value or several: `0.1`, `[0.1, 1.0]`, or text such as `0.1,1.0` and `last,mean`; spans of time.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};

use crate::data::Step;

#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "it must be one value, or several as a list or separated by commas")]
enum Several<T> {
    Text(String),
    One(T),
    Many(Vec<T>),
}

/// Reads the setting; nothing is an open choice.
pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr<Err: Display>,
{
    listed(Option::<Several<T>>::deserialize(deserializer)?)
}

fn listed<T, E>(several: Option<Several<T>>) -> Result<Option<Vec<T>>, E>
where
    T: FromStr<Err: Display>,
    E: Error,
{
    Ok(match several {
        None => None,
        Some(Several::One(value)) => Some(vec![value]),
        Some(Several::Many(values)) => Some(values),
        Some(Several::Text(text)) => {
            let parse = |part: &str| {
                let part = part.trim();
                part.parse().map_err(|error| E::custom(format!("cannot read \"{part}\": {error}")))
            };
            Some(text.split(',').map(parse).collect::<Result<_, _>>()?)
        }
    })
}

/// [`deserialize`] of a setting for which `none` is an empty list.
pub(super) fn deserialize_or_none<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr<Err: Display>,
{
    Ok(match Option::<Several<T>>::deserialize(deserializer)? {
        Some(Several::Text(text)) if text.trim() == "none" => Some(Vec::new()),
        several => listed(several)?,
    })
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Span {
    Text(String),
    Steps(i64),
}

/// Reads a span of time: a duration such as `90D`, or a count of steps.
pub(super) fn deserialize_span<'de, D>(deserializer: D) -> Result<Option<Step>, D::Error>
where
    D: Deserializer<'de>,
{
    let bad = || D::Error::custom("it must be a duration such as 90D, or a count of steps, and positive");
    let span = match Option::<Span>::deserialize(deserializer).map_err(|_| bad())? {
        None => return Ok(None),
        Some(Span::Steps(steps)) => Step::Index(steps),
        Some(Span::Text(text)) => Step::try_from(text).map_err(|_| bad())?,
    };
    if span.is_positive() { Ok(Some(span)) } else { Err(bad()) }
}
