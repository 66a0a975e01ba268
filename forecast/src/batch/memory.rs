//! How much memory a run may take, and how it is shared out.

use std::fmt;
use std::fs;
use std::str::FromStr;

use crate::{Error, Result};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// What the program takes before it reads anything, and what its allocator keeps.
const BASE: u64 = 32 * MIB;
/// Units that sizes are told in, longest name first where one ends with another.
const UNITS: [(&str, u64); 8] = [
    ("kib", 1 << 10),
    ("mib", MIB),
    ("gib", GIB),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("b", 1),
];

/// The most memory that a run may take, in bytes; by default half of the machine's.
///
/// A quarter of what the program itself leaves free goes to each of: the series that are being read, those that
/// are being fitted, what fitting them takes, and the results of a part. So it bounds how many series are in
/// memory and how many are fitted at a time; what the allocator and the readers of file formats keep beside is
/// not counted.
///
/// # Example
/// ```
/// use forecast::batch::MemoryLimit;
/// assert_eq!("2GiB".parse::<MemoryLimit>()?.bytes(), 2 << 30);
/// assert_eq!("500 MB".parse::<MemoryLimit>()?.bytes(), 500_000_000);
/// assert!("1MiB".parse::<MemoryLimit>().unwrap_err().to_string().contains("at least 64 MiB"));
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct MemoryLimit {
    bytes: u64,
}

impl MemoryLimit {
    /// No run fits into less, in bytes.
    pub const LEAST: u64 = 64 * MIB;

    /// A limit in bytes.
    ///
    /// # Errors
    /// [`Error::BadOption`] below [`MemoryLimit::LEAST`].
    pub fn new(bytes: u64) -> Result<Self> {
        let limit = MemoryLimit { bytes };
        if bytes < Self::LEAST {
            let least = MemoryLimit { bytes: Self::LEAST };
            return Err(Error::option("memory limit", limit, format!("it must be at least {least}")));
        }
        Ok(limit)
    }

    /// The limit in bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// What each of the four uses of memory may take, in bytes.
    pub(super) fn share(self) -> u64 {
        (self.bytes - BASE) / 4
    }
}

impl Default for MemoryLimit {
    /// Half of the machine's memory; 2 GiB where the system does not tell it.
    fn default() -> Self {
        let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_memory(&text));
        MemoryLimit { bytes: of_machine.map_or(2 * GIB, |bytes| bytes / 2).max(Self::LEAST) }
    }
}

/// The machine's memory in bytes, as `/proc/meminfo` tells it.
fn total_memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1 << 10)
}

impl FromStr for MemoryLimit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::option(
                "memory limit",
                format!("\"{text}\""),
                "it must be a size such as 2GiB, 512MiB, 4GB or a number of bytes",
            )
        };
        let lower = text.trim().to_lowercase();
        let unit = UNITS.iter().find_map(|(name, size)| Some((lower.strip_suffix(name)?, *size)));
        let (number, size) = unit.unwrap_or((&lower, 1));
        let number = number.trim_end();
        let bytes = match number.parse::<u64>() {
            Ok(number) => number.checked_mul(size),
            // Fractions of a unit: 1.5GiB.
            Err(_) if number.contains('.') && number.chars().all(|c| c.is_ascii_digit() || c == '.') => {
                let bytes = number.parse::<f64>().map_err(|_| bad())? * size as f64;
                (bytes < u64::MAX as f64).then_some(bytes as u64)
            }
            Err(_) => None,
        };
        Self::new(bytes.ok_or_else(bad)?)
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bytes {
            bytes if bytes % GIB == 0 => write!(f, "{} GiB", bytes / GIB),
            bytes if bytes % MIB == 0 => write!(f, "{} MiB", bytes / MIB),
            bytes if bytes >= MIB => write!(f, "{:.1} MiB", bytes as f64 / MIB as f64),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_every_unit() {
        for (text, bytes) in [
            ("134217728", 128 * MIB),
            ("134217728b", 128 * MIB),
            ("131072KiB", 128 * MIB),
            ("128MiB", 128 * MIB),
            ("1 gib", GIB),
            ("1.5GiB", 3 * GIB / 2),
            ("200000KB", 200_000_000),
            ("200MB", 200_000_000),
            ("2GB", 2_000_000_000),
        ] {
            assert_eq!(text.parse::<MemoryLimit>().unwrap().bytes(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_size_or_too_little_says_what_would_do() {
        for text in [
            "",
            "GiB",
            "-1GiB",
            "2GiBs",
            "1e9",
            "nan",
            "inf",
            "2 G i B",
            "99999999999999999999",
            "99999999TiB",
        ] {
            let message = text.parse::<MemoryLimit>().unwrap_err().to_string();
            let is_told = message.contains("such as 2GiB") || message.contains("at least 64 MiB");
            assert!(is_told && message.starts_with("memory limit is"), "{text}: {message}");
        }
        assert_eq!(
            "48MiB".parse::<MemoryLimit>().unwrap_err().to_string(),
            "memory limit is 48 MiB, but it must be at least 64 MiB"
        );
    }

    #[test]
    fn the_default_is_half_of_the_machine() {
        assert_eq!(total_memory("Foo: 1 kB\nMemTotal:       2048 kB\n"), Some(2 * MIB));
        assert_eq!(total_memory("nothing"), None);
        assert!(MemoryLimit::default().bytes() >= MemoryLimit::LEAST);
    }
}
