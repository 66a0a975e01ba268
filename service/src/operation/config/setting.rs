//! One key of the configuration: what it may be, what it is by default, what it means.

use std::time::Duration;

/// A key, such as `limits.call_time`.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Section and name, joined by a dot.
    pub key: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is where nobody says anything; empty means not set.
    pub default: &'static str,
    /// One sentence fragment for the documentation.
    pub meaning: &'static str,
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A whole number.
    Count {
        /// The least.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A number of bytes: `1048576`, `64 KiB`, `16 MiB`, `2 GiB`.
    Bytes {
        /// The least.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A time: `500ms`, `10s`, `5min`, `1h`, `7d`.
    Time {
        /// The shortest, in milliseconds.
        min_ms: u64,
        /// The longest, in milliseconds.
        max_ms: u64,
    },
    /// `true` or `false`.
    Switch,
    /// One of several words.
    Choice(&'static [&'static str]),
    /// An address of an interface, such as `127.0.0.1` or `::`.
    Address,
    /// A file or a folder.
    Path,
}

/// A value that fits its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(u64),
    Time(Duration),
    Switch(bool),
    Text(String),
}

const UNITS_OF_BYTES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const UNITS_OF_TIME: [(&str, u64); 5] =
    [("ms", 1), ("min", 60_000), ("s", 1000), ("h", 3_600_000), ("d", 86_400_000)];

impl Kind {
    /// The value that a text means; an empty one is none.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let within = |value: Option<u64>, min: u64, max: u64| {
            value
                .filter(|value| (min..=max).contains(value))
                .ok_or_else(|| format!("it must be {}", self.range()))
        };
        match *self {
            Kind::Count { min, max } => {
                within(text.replace('_', "").parse().ok(), min, max).map(Value::Number)
            }
            Kind::Bytes { min, max } => within(with_unit(text, &UNITS_OF_BYTES), min, max).map(Value::Number),
            Kind::Time { min_ms, max_ms } => within(with_unit(text, &UNITS_OF_TIME), min_ms, max_ms)
                .map(|ms| Value::Time(Duration::from_millis(ms))),
            Kind::Switch => match text {
                "true" => Ok(Value::Switch(true)),
                "false" => Ok(Value::Switch(false)),
                _ => Err(format!("it must be {}", self.range())),
            },
            Kind::Choice(words) => match words.contains(&text) {
                true => Ok(Value::Text(text.to_string())),
                false => Err(format!("it must be {}", self.range())),
            },
            Kind::Address => match text.parse::<std::net::IpAddr>() {
                Ok(_) => Ok(Value::Text(text.to_string())),
                Err(_) => Err(format!("it must be {}", self.range())),
            },
            Kind::Path => Ok(Value::Text(text.to_string())),
        }
    }

    /// What it may be, in words.
    #[must_use]
    pub fn range(&self) -> String {
        match *self {
            Kind::Count { min, max } => format!("{min} to {max}"),
            Kind::Bytes { min, max } => format!("{} to {}", bytes(min), bytes(max)),
            Kind::Time { min_ms, max_ms } => format!("{} to {}", time(min_ms), time(max_ms)),
            Kind::Switch => "true or false".to_string(),
            Kind::Choice(words) => words.join(", "),
            Kind::Address => "an IP address".to_string(),
            Kind::Path => "a path".to_string(),
        }
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit = units.iter().find_map(|(unit, size)| text.strip_suffix(unit).map(|number| (number, *size)));
    // A plain number counts bytes; a time needs its unit.
    let plain = units.iter().any(|(unit, _)| *unit == "B").then_some((text, 1));
    let (number, size) = unit.or(plain)?;
    number.trim_end().replace('_', "").parse::<u64>().ok()?.checked_mul(size)
}

/// Bytes in the largest unit that divides them.
fn bytes(n: u64) -> String {
    let unit = UNITS_OF_BYTES.iter().find(|(_, size)| n > 0 && n.is_multiple_of(*size));
    unit.map_or_else(|| format!("{n} B"), |(unit, size)| format!("{} {unit}", n / size))
}

/// Milliseconds in the largest unit that divides them.
fn time(ms: u64) -> String {
    let mut units = UNITS_OF_TIME;
    units.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    let unit = units.iter().find(|(_, size)| ms > 0 && ms.is_multiple_of(*size));
    unit.map_or_else(|| format!("{ms}ms"), |(unit, size)| format!("{}{unit}", ms / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_bytes_and_times_are_read_with_their_units() {
        let count = Kind::Count { min: 1, max: 10 };
        assert_eq!(count.parse("10"), Ok(Value::Number(10)));
        assert_eq!(count.parse("11").unwrap_err(), "it must be 1 to 10");
        let size = Kind::Bytes { min: 1024, max: 1 << 40 };
        for (text, expected) in [("2048", 2048), ("16 MiB", 16 << 20), ("2GiB", 2 << 30), ("64 KiB", 1 << 16)]
        {
            assert_eq!(size.parse(text), Ok(Value::Number(expected)), "{text}");
        }
        for text in ["16 MB", "-1", "", "1023", "99999999999 GiB"] {
            assert_eq!(size.parse(text).unwrap_err(), "it must be 1 KiB to 1024 GiB", "{text}");
        }
        let span = Kind::Time { min_ms: 0, max_ms: 604_800_000 };
        for (text, ms) in
            [("250ms", 250), ("3s", 3000), ("5min", 300_000), ("2h", 7_200_000), ("7d", 604_800_000)]
        {
            assert_eq!(span.parse(text), Ok(Value::Time(Duration::from_millis(ms))), "{text}");
        }
        assert_eq!(span.parse("10").unwrap_err(), "it must be 0ms to 7d");
    }
}
