//! The covariates of one series.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{ArcArray2, Array2, ArrayView2, Axis, s};

use super::declaration::Known;
use super::schema::{CovariateColumn, CovariateSchema};
use crate::data::TimeIndex;
use crate::{Error, Result};

/// The values of a series' covariates, in the order of the schema; NaN where missing, codes for categories.
///
/// Covariates that are known ahead may have more rows than the series has steps. Clones and slices share the
/// values.
#[derive(Debug, Clone)]
pub struct Covariates {
    past: ArcArray2<f64>,      // (n_steps, past covariate)
    future: ArcArray2<f64>,    // (n_steps + n_ahead, future covariate)
    static_values: Arc<[f64]>, // (static covariate)
}

impl Covariates {
    /// The covariates of a series from their parts.
    ///
    /// # Shapes
    /// `past`: `(index.len, past covariate)`; `future`: `(index.len + n_ahead, future covariate)`; `static_values`: a
    /// value for each static covariate.
    ///
    /// # Errors
    /// [`Error::Infinite`] names the first infinite value, [`Error::BadOption`] a code that no category has;
    /// [`Error::Internal`] if the shapes are others.
    pub fn new(
        schema: &CovariateSchema,
        series: &str,
        index: &TimeIndex,
        (past, future, static_values): (Array2<f64>, Array2<f64>, Vec<f64>),
    ) -> Result<Self> {
        let n = |known: Known| schema.of(known).len();
        let is_shaped = past.dim() == (index.len, n(Known::Past))
            && future.nrows() >= index.len
            && (future.ncols(), static_values.len()) == (n(Known::Future), n(Known::Static));
        if !is_shaped {
            return Err(Error::Internal(format!(
                "series \"{series}\" has covariates of shapes {:?}, {:?} and {} for {} steps",
                past.dim(),
                future.dim(),
                static_values.len(),
                index.len
            )));
        }
        for (known, values) in [(Known::Past, &past), (Known::Future, &future)] {
            for (column, values) in schema.of(known).iter().zip(values.columns()) {
                check(column, series, index, values.iter())?;
            }
        }
        for (column, value) in schema.of(Known::Static).iter().zip(&static_values) {
            check(column, series, index, [value])?;
        }
        Ok(Covariates {
            past: past.into_shared(),
            future: future.into_shared(),
            static_values: static_values.into(),
        })
    }

    /// No covariates, for a series of so many steps.
    #[must_use]
    pub fn none(n_steps: usize) -> Self {
        let empty = Array2::zeros((n_steps, 0)).into_shared();
        Covariates { past: empty.clone(), future: empty, static_values: Arc::default() }
    }

    /// How many steps the series has.
    #[must_use]
    pub fn n_steps(&self) -> usize {
        self.past.nrows()
    }

    /// How many steps beyond the end of the series have a row of what is known ahead.
    #[must_use]
    pub fn n_ahead(&self) -> usize {
        self.future.nrows() - self.past.nrows()
    }

    /// What is known up to the cutoff. Shape `(n_steps, past covariate)`.
    #[must_use]
    pub fn past(&self) -> ArrayView2<'_, f64> {
        self.past.view()
    }

    /// What is known ahead. Shape `(n_steps + n_ahead, future covariate)`.
    #[must_use]
    pub fn future(&self) -> ArrayView2<'_, f64> {
        self.future.view()
    }

    /// The value of each static covariate.
    #[must_use]
    pub fn static_values(&self) -> &[f64] {
        &self.static_values
    }

    /// The part at `range` of steps, clipped to the series; shares the values.
    ///
    /// As seen from a cutoff at `range.end`: nothing of the past covariates from there on, but all that is known
    /// ahead.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.n_steps());
        let start = range.start.min(end);
        Covariates {
            past: self.past.clone().slice_move(s![start..end, ..]),
            future: self.future.clone().slice_move(s![start.., ..]),
            static_values: self.static_values.clone(),
        }
    }

    /// A copy that does not keep the values alive that a slice was cut from.
    pub(in crate::data) fn compact(&self) -> Self {
        Covariates {
            past: self.past.to_owned().into_shared(),
            future: self.future.to_owned().into_shared(),
            static_values: self.static_values.clone(),
        }
    }

    /// True if these are values of this schema's columns.
    pub(in crate::data) fn fits(&self, schema: &CovariateSchema) -> bool {
        let n = |known: Known| schema.of(known).len();
        (self.past.ncols(), self.future.ncols(), self.static_values.len())
            == (n(Known::Past), n(Known::Future), n(Known::Static))
    }

    /// The same with rows of what is known ahead put after those that are there: a table of its own that says
    /// what follows.
    ///
    /// # Shapes
    /// `rows`: `(step, future covariate)`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_ahead(
        &self,
        schema: &CovariateSchema,
        series: &str,
        index: &TimeIndex,
        rows: ArrayView2<'_, f64>,
    ) -> Result<Self> {
        let mut future = self.future.to_owned();
        future.append(Axis(0), rows).map_err(|error| {
            Error::Internal(format!("series \"{series}\": rows of {:?} ahead: {error}", rows.dim()))
        })?;
        let ahead = index.slice(self.future.nrows()..future.nrows());
        for (column, values) in schema.of(Known::Future).iter().zip(rows.columns()) {
            check(column, series, &ahead, values.iter())?;
        }
        Ok(Covariates { future: future.into_shared(), ..self.clone() })
    }
}

/// Refuses values that no cell of the column encodes to.
fn check<'a>(
    column: &CovariateColumn,
    series: &str,
    index: &TimeIndex,
    values: impl IntoIterator<Item = &'a f64>,
) -> Result<()> {
    let is_odd = |value: f64| match &column.vocabulary {
        None => value.is_infinite(),
        Some(known) => {
            !value.is_nan() && (value.fract() != 0.0 || !(0.0..known.n_codes() as f64).contains(&value))
        }
    };
    let Some((row, value)) = values.into_iter().enumerate().find(|(_, value)| is_odd(**value)) else {
        return Ok(());
    };
    let stamp = index.format(index.stamp(row));
    match &column.vocabulary {
        None => Err(Error::Infinite { series: series.to_string(), channel: column.name.clone(), stamp }),
        Some(known) => Err(Error::option(
            format!("series \"{series}\": covariate \"{}\" at {stamp}", column.name),
            value,
            format!("its codes are the whole numbers below {}", known.n_codes()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn schema() -> CovariateSchema {
        serde_json::from_str(
            r#"[{"name": "p", "known": "past"}, {"name": "f", "known": "future"}, {"name": "g", "known": "future"},
                {"name": "k", "known": "static", "vocabulary": {"categories": ["x", "y"], "unseen": "error"}}]"#,
        )
        .unwrap()
    }

    fn index(len: usize) -> TimeIndex {
        TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), len)
    }

    /// Past row `i` holds `i`, future row `i` holds `10 i` and `10 i + 1`.
    fn covariates(n_steps: usize, n_ahead: usize) -> Covariates {
        let past = Array2::from_shape_fn((n_steps, 1), |(i, _)| i as f64);
        let future = Array2::from_shape_fn((n_steps + n_ahead, 2), |(i, j)| (10 * i + j) as f64);
        Covariates::new(&schema(), "s", &index(n_steps), (past, future, vec![1.0])).unwrap()
    }

    #[test]
    fn slices_keep_what_is_known_ahead_and_nothing_else_beyond_the_cutoff() {
        let whole = covariates(7, 3);
        for start in 0..9 {
            for end in start..9 {
                let part = whole.slice(start..end);
                let (from, to) = (start.min(7), end.min(7));
                assert_eq!((part.n_steps(), part.n_ahead()), (to - from, 10 - to), "{start}..{end}");
                let past: Vec<f64> = (from..to).map(|i| i as f64).collect();
                assert_eq!(part.past().column(0).to_vec(), past);
                let future: Vec<f64> = (from..10).map(|i| (10 * i + 1) as f64).collect();
                assert_eq!(part.future().column(1).to_vec(), future);
                assert_eq!(part.static_values(), [1.0]);
                // A part of a part is the part of the whole.
                let again = part.slice(1..3);
                assert_eq!(again.future(), whole.slice(from + 1..(from + 3).min(to)).future());
            }
        }
    }

    #[test]
    fn slices_share_the_values_and_rows_ahead_can_be_added() {
        let whole = covariates(5, 0);
        let part = whole.slice(2..4);
        assert_eq!(part.future().as_ptr(), whole.future().slice(s![2.., ..]).as_ptr());
        let ahead = |rows: Array2<f64>| whole.with_ahead(&schema(), "s", &index(5), rows.view());
        let longer = ahead(array![[1.0, 2.0]]).unwrap();
        assert_eq!((longer.n_steps(), longer.n_ahead()), (5, 1));
        assert_eq!(longer.future().row(5), array![1.0, 2.0]);
        assert!(ahead(array![[1.0]]).is_err());
        let message = ahead(array![[1.0, f64::INFINITY]]).unwrap_err().to_string();
        assert!(message.contains("\"g\"") && message.contains("05:00:00"), "{message}");
        assert_eq!((Covariates::none(4).n_steps(), Covariates::none(4).n_ahead()), (4, 0));
    }

    #[test]
    fn odd_values_and_shapes_are_named() {
        let build = |past: Array2<f64>, future: Array2<f64>, code: f64| {
            Covariates::new(&schema(), "s", &index(2), (past, future, vec![code]))
        };
        let (past, future) = (array![[1.0], [f64::NAN]], array![[1.0, 2.0], [3.0, 4.0]]);
        assert!(build(past.clone(), future.clone(), f64::NAN).is_ok());
        for code in [2.0, -1.0, 0.5, f64::INFINITY] {
            let message = build(past.clone(), future.clone(), code).unwrap_err().to_string();
            assert!(message.contains("\"k\"") && message.contains("below 2"), "{message}");
        }
        let infinite = array![[1.0, 2.0], [3.0, f64::NEG_INFINITY]];
        let message = build(past.clone(), infinite, 0.0).unwrap_err().to_string();
        assert!(message.contains("\"g\"") && message.contains("01:00:00"), "{message}");
        let short = build(past, array![[1.0, 2.0]], 0.0).unwrap_err();
        assert!(!short.is_user_error());
    }
}
