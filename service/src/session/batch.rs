//! Observations in columns, and their form in the log.

use super::SessionError;

/// Rows of one batch, at most.
pub const MAX_ROWS: usize = 50_000;

/// Observations in columns: one row is one step of one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Sequence number of the first row; the rows count on.
    pub first: u64,
    /// The series of each row; empty if all are of series 0.
    pub series: Vec<u32>,
    /// The stamp of each row in nanoseconds since 1970; empty if each is the next step of its series.
    pub times: Vec<i64>,
    /// Shape `(row, channel)`, NaN where missing.
    pub values: Vec<f64>,
    /// Codes of covariates in the order of the model's schema, those of the past first; empty if none are told.
    /// Shape `(row, covariate)`.
    pub covariates: Vec<f64>,
}

/// A part of a batch, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct BatchView<'a> {
    /// Sequence number of the first row.
    pub first: u64,
    /// Number of rows.
    pub n_rows: usize,
    /// As in [`Batch`].
    pub series: &'a [u32],
    /// As in [`Batch`].
    pub times: &'a [i64],
    /// As in [`Batch`].
    pub values: &'a [f64],
    /// As in [`Batch`].
    pub covariates: &'a [f64],
}

impl Batch {
    /// The whole batch, for a model of so many channels and covariates.
    ///
    /// # Errors
    /// [`SessionError::Batch`] names the column whose length does not fit the others.
    pub fn view(&self, n_channels: usize, n_covariates: usize) -> Result<BatchView<'_>, SessionError> {
        let bad = |field: &'static str, rule: String| SessionError::Batch { field, rule };
        let n_rows = self.values.len() / n_channels.max(1);
        if n_rows == 0 || n_rows * n_channels != self.values.len() || n_rows > MAX_ROWS {
            let rule = format!(
                "it has {} values, but must hold 1 to {MAX_ROWS} rows of the model's {n_channels} channels",
                self.values.len()
            );
            return Err(bad("values", rule));
        }
        for (field, len) in [("series_index", self.series.len()), ("time_unix_nano", self.times.len())] {
            if len != 0 && len != n_rows {
                let rule =
                    format!("it has {len} elements, but there are {n_rows} rows; send none, or one a row");
                return Err(bad(field, rule));
            }
        }
        if !self.covariates.is_empty() && self.covariates.len() != n_rows * n_covariates {
            let rule = format!(
                "{} values came, but {n_rows} rows of {n_covariates} are needed",
                self.covariates.len()
            );
            return Err(bad("covariates", rule));
        }
        let last = self.first.checked_add(n_rows as u64);
        if self.first == 0 || last.is_none() {
            return Err(bad(
                "first_sequence",
                format!("it is {}, but sequence numbers begin at 1", self.first),
            ));
        }
        Ok(BatchView {
            first: self.first,
            n_rows,
            series: &self.series,
            times: &self.times,
            values: &self.values,
            covariates: &self.covariates,
        })
    }
}

/// A column without its first rows, cut to some; an empty column stays empty.
fn cut<T>(column: &[T], width: usize, from: usize, n: usize) -> &[T] {
    if column.is_empty() { column } else { &column[from * width..(from + n) * width] }
}

impl<'a> BatchView<'a> {
    /// The rows from `from` on, at most `n` of them.
    #[must_use]
    pub fn rows(&self, from: usize, n: usize) -> BatchView<'a> {
        let from = from.min(self.n_rows);
        let n = n.min(self.n_rows - from);
        let width = |len: usize| len.checked_div(self.n_rows).unwrap_or(0);
        BatchView {
            first: self.first + from as u64,
            n_rows: n,
            series: cut(self.series, 1, from, n),
            times: cut(self.times, 1, from, n),
            values: cut(self.values, width(self.values.len()), from, n),
            covariates: cut(self.covariates, width(self.covariates.len()), from, n),
        }
    }

    /// The last sequence number.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.first + (self.n_rows as u64).saturating_sub(1)
    }

    /// Appends the columns, little endian, lengths first.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.first.to_le_bytes());
        for len in [self.series.len(), self.times.len(), self.values.len(), self.covariates.len()] {
            out.extend((len as u64).to_le_bytes());
        }
        let n_bytes =
            4 * self.series.len() + 8 * (self.times.len() + self.values.len() + self.covariates.len());
        out.reserve(n_bytes);
        self.series.iter().for_each(|index| out.extend(index.to_le_bytes()));
        self.times.iter().for_each(|time| out.extend(time.to_le_bytes()));
        self.values.iter().chain(self.covariates).for_each(|value| out.extend(value.to_le_bytes()));
    }
}

impl Batch {
    /// Reads what [`BatchView`] wrote; `None` unless lengths and bytes fit exactly.
    #[must_use]
    pub(super) fn decode(bytes: &[u8]) -> Option<Batch> {
        let word = |at: usize| -> Option<u64> {
            let bytes = bytes.get(8 * at..8 * at + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let len = |at: usize| usize::try_from(word(at)?).ok();
        let (n_series, n_times, n_values, n_covariates) = (len(1)?, len(2)?, len(3)?, len(4)?);
        let eights = n_times.checked_add(n_values)?.checked_add(n_covariates)?;
        let wanted = n_series.checked_mul(4)?.checked_add(eights.checked_mul(8)?)?.checked_add(40)?;
        if wanted != bytes.len() {
            return None;
        }
        let (series, rest) = bytes[40..].split_at(4 * n_series);
        let (times, rest) = rest.split_at(8 * n_times);
        let (values, covariates) = rest.split_at(8 * n_values);
        let eight = |chunk: &[u8]| chunk.try_into().map_or([0; 8], |bytes: [u8; 8]| bytes);
        let floats = |bytes: &[u8]| bytes.chunks_exact(8).map(|c| f64::from_le_bytes(eight(c))).collect();
        let four = |chunk: &[u8]| chunk.try_into().map_or([0; 4], |bytes: [u8; 4]| bytes);
        Some(Batch {
            first: word(0)?,
            series: series.chunks_exact(4).map(|c| u32::from_le_bytes(four(c))).collect(),
            times: times.chunks_exact(8).map(|c| i64::from_le_bytes(eight(c))).collect(),
            values: floats(values),
            covariates: floats(covariates),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        Batch {
            first: 7,
            series: vec![0, 2, 1],
            times: vec![-5, 0, i64::MAX],
            values: vec![1.5, f64::NAN, -0.0, 2.0, 3.0, 4.0],
            covariates: vec![9.0, 8.0, 7.0],
        }
    }

    #[test]
    fn what_was_written_is_read_bit_for_bit_and_no_byte_less_or_more() {
        let mut bytes = Vec::new();
        batch().view(2, 1).unwrap().encode(&mut bytes);
        let read = Batch::decode(&bytes).unwrap();
        let mut again = Vec::new();
        read.view(2, 1).unwrap().encode(&mut again);
        assert_eq!(bytes, again);
        assert!((0..bytes.len()).all(|n| Batch::decode(&bytes[..n]).is_none()));
        bytes.push(0);
        assert!(Batch::decode(&bytes).is_none());
    }

    #[test]
    fn a_part_of_a_batch_counts_on() {
        let batch = batch();
        let view = batch.view(2, 1).unwrap();
        let part = view.rows(1, 9);
        assert_eq!((part.first, part.n_rows, part.last()), (8, 2, 9));
        assert_eq!(
            (part.series, part.times, part.covariates),
            (&[2, 1][..], &[0, i64::MAX][..], &[8.0, 7.0][..])
        );
        assert_eq!(part.values.len(), 4);
        assert_eq!(view.rows(3, 1).n_rows, 0);
    }

    #[test]
    fn columns_that_do_not_fit_are_named() {
        let check = |change: &dyn Fn(&mut Batch), field: &str| {
            let mut changed = batch();
            change(&mut changed);
            let error = changed.view(2, 1).unwrap_err();
            assert!(matches!(&error, SessionError::Batch { field: f, .. } if *f == field), "{error}");
        };
        check(&|b| b.series.truncate(1), "series_index");
        check(&|b| b.times.truncate(2), "time_unix_nano");
        check(&|b| b.values.truncate(5), "values");
        check(&|b| b.values.clear(), "values");
        check(&|b| b.covariates.truncate(2), "covariates");
        check(&|b| b.first = 0, "first_sequence");
        check(&|b| b.first = u64::MAX, "first_sequence");
    }
}
