//! The files themselves, embedded in the program and checked on every load.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::{Dataset, DatasetError};

/// The embedded files: an installed program finds its data wherever it runs.
const FILES: [(&str, &[u8]); 7] = [
    ("appliances_energy_10min.csv", include_bytes!("../data/appliances_energy_10min.csv")),
    ("cycling_1s.csv", include_bytes!("../data/cycling_1s.csv")),
    ("electricity_mean321_hourly.csv", include_bytes!("../data/electricity_mean321_hourly.csv")),
    ("household_power_1min.csv", include_bytes!("../data/household_power_1min.csv")),
    ("metro_traffic_hourly_2016_2018.csv", include_bytes!("../data/metro_traffic_hourly_2016_2018.csv")),
    ("pv_serf_east_15min.csv", include_bytes!("../data/pv_serf_east_15min.csv")),
    ("water_flow_hourly.csv", include_bytes!("../data/water_flow_hourly.csv")),
];

impl Dataset {
    /// Returns the file's bytes after checking their sha256.
    ///
    /// # Errors
    /// [`DatasetError::NotBundled`] if the file is not part of the program,
    /// [`DatasetError::Altered`] if its hash is not the manifest's.
    ///
    /// # Example
    /// ```
    /// let bytes = forecast_datasets::find("cycling")?.bytes()?;
    /// assert_eq!(bytes.len(), 204_679);
    /// # Ok::<(), forecast_datasets::DatasetError>(())
    /// ```
    pub fn bytes(&self) -> Result<&'static [u8], DatasetError> {
        let (_, bytes) = FILES
            .iter()
            .find(|(file, _)| *file == self.file)
            .ok_or_else(|| DatasetError::NotBundled { file: self.file.clone() })?;
        check_sha256(&self.file, bytes, &self.sha256)?;
        Ok(bytes)
    }

    /// Returns the data as CSV, with the values of the rows in
    /// [`missing_at`](Dataset::missing_at) blanked.
    ///
    /// This is what the program loads and exports: known defects of the source arrive as empty
    /// cells, which every reader takes as missing. All other bytes are those of the file, which
    /// is borrowed, not copied, where nothing is blanked.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes), and [`DatasetError::StampNotFound`] if a stamp of
    /// `missing_at` is in no row.
    ///
    /// # Example
    /// ```
    /// let csv = forecast_datasets::find("electricity")?.csv()?;
    /// let csv = String::from_utf8_lossy(&csv);
    /// assert!(csv.contains("\n2014-03-30 00:00:00,1601.981\n2014-03-30 01:00:00,\n"));
    /// # Ok::<(), forecast_datasets::DatasetError>(())
    /// ```
    pub fn csv(&self) -> Result<Cow<'static, [u8]>, DatasetError> {
        let bytes = self.bytes()?;
        if self.missing_at.is_empty() {
            return Ok(Cow::Borrowed(bytes));
        }
        blank_rows(&self.file, bytes, &self.missing_at).map(Cow::Owned)
    }
}

fn check_sha256(file: &str, bytes: &[u8], expected: &str) -> Result<(), DatasetError> {
    let found = Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    if found == expected {
        return Ok(());
    }
    Err(DatasetError::Altered { file: file.to_owned(), expected: expected.to_owned(), found })
}

/// Empties all cells but the stamp in the rows whose stamp is in `stamps`.
///
/// The stamp is the first cell and no cell is quoted, so the commas that follow it are exactly
/// the separators to keep; `tests/files.rs` holds every file to both conditions.
fn blank_rows(file: &str, bytes: &[u8], stamps: &[String]) -> Result<Vec<u8>, DatasetError> {
    let mut blanked = Vec::with_capacity(bytes.len());
    let mut found = vec![false; stamps.len()];
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let stamp_len = line.iter().position(|&byte| byte == b',').unwrap_or(line.len());
        let (stamp, cells) = line.split_at(stamp_len);
        match stamps.iter().position(|missing| missing.as_bytes() == stamp) {
            None => blanked.extend_from_slice(line),
            Some(stamp_idx) => {
                found[stamp_idx] = true;
                blanked.extend_from_slice(stamp);
                blanked.extend(cells.iter().filter(|byte| matches!(byte, b',' | b'\r' | b'\n')));
            }
        }
    }
    match found.iter().position(|&found| !found) {
        None => Ok(blanked),
        Some(stamp_idx) => {
            Err(DatasetError::StampNotFound { file: file.to_owned(), stamp: stamps[stamp_idx].clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    #[test]
    fn altered_bytes_give_an_error_with_file_and_both_hashes() {
        let dataset = find("water-flow").unwrap();
        let mut bytes = dataset.bytes().unwrap().to_vec();
        bytes[1000] ^= 1;
        let message = check_sha256(&dataset.file, &bytes, &dataset.sha256).unwrap_err().to_string();
        let expected = format!("file \"water_flow_hourly.csv\" must have sha256 {}", dataset.sha256);
        assert!(message.starts_with(&expected), "{message}");
        let found = message.split("but has ").nth(1).unwrap().split(';').next().unwrap();
        assert!(found.len() == 64 && found != dataset.sha256, "{message}");
    }

    #[test]
    fn file_outside_the_bundle_is_an_error() {
        let mut dataset = find("pv").unwrap().clone();
        dataset.file = "pv.csv".to_owned();
        assert_eq!(dataset.bytes(), Err(DatasetError::NotBundled { file: "pv.csv".to_owned() }));
    }

    #[test]
    fn blanking_keeps_separators_line_ends_and_repeated_stamps() {
        let blanked = blank_rows("x", b"t,a,b\r\n1,2,3\r\n1,4,5\r\n2,6,7", &["1".to_owned()]);
        assert_eq!(blanked.unwrap(), b"t,a,b\r\n1,,\r\n1,,\r\n2,6,7");
    }

    #[test]
    fn stamp_that_is_in_no_row_is_an_error() {
        let error = blank_rows("x.csv", b"t,a\n10,2\n", &["1".to_owned()]).unwrap_err();
        let message = "file \"x.csv\" has no row stamped \"1\", which `missing_at` names; stamps \
                       must be written exactly as in the file";
        assert_eq!(error.to_string(), message);
    }
}
