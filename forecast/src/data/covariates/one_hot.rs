//! Categories as columns of zeros and ones, for linear models.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::declaration::Known;
use super::schema::{CovariateColumn, CovariateSchema};
use crate::{Error, Result};

impl CovariateColumn {
    /// How many columns it becomes: one a category, the slot for unseen ones included; one for numbers.
    #[must_use]
    pub fn n_one_hot(&self) -> usize {
        self.vocabulary.as_ref().map_or(1, super::Vocabulary::n_codes)
    }
}

impl CovariateSchema {
    /// The names of the columns that [`one_hot`](Self::one_hot) writes: `region=north`, `region=south`; `region=?`
    /// for unseen categories; a numeric column keeps its name.
    #[must_use]
    pub fn one_hot_names(&self, known: Known) -> Vec<String> {
        let columns = self.of(known).iter();
        let names = columns.flat_map(|column| match &column.vocabulary {
            None => vec![column.name.clone()],
            Some(known) => (0..known.n_codes())
                .map(|code| format!("{}={}", column.name, known.category(code).unwrap_or("?")))
                .collect(),
        });
        names.collect()
    }

    /// Writes values with each categorical column as one column a category: 1 at the category of a row, else 0;
    /// NaN in all of them where it is missing.
    ///
    /// # Shapes
    /// `values`: `(row, covariate)`, as [`Covariates`](super::Covariates) holds those that are `known` so; `out`:
    /// `(row, n)` with a column for each of [`one_hot_names`](Self::one_hot_names).
    ///
    /// # Errors
    /// [`Error::Internal`] if the shapes are others.
    ///
    /// # Example
    /// ```
    /// use forecast::data::{CovariateSchema, Known};
    /// use ndarray::{Array2, array};
    /// let schema: CovariateSchema = serde_json::from_str(
    ///     r#"[{"name": "sky", "known": "past", "vocabulary": {"categories": ["rain", "sun"], "unseen": "error"}},
    ///         {"name": "wind", "known": "past"}]"#,
    /// ).unwrap();
    /// let mut out = Array2::zeros((2, 3));
    /// schema.one_hot(Known::Past, array![[1.0, 7.5], [0.0, 3.0]].view(), out.view_mut())?;
    /// assert_eq!(schema.one_hot_names(Known::Past), ["sky=rain", "sky=sun", "wind"]);
    /// assert_eq!(out, array![[0.0, 1.0, 7.5], [1.0, 0.0, 3.0]]);
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn one_hot(
        &self,
        known: Known,
        values: ArrayView2<'_, f64>,
        mut out: ArrayViewMut2<'_, f64>,
    ) -> Result<()> {
        let columns = self.of(known);
        let width: usize = columns.iter().map(CovariateColumn::n_one_hot).sum();
        if values.ncols() != columns.len() || out.dim() != (values.nrows(), width) {
            return Err(Error::Internal(format!(
                "covariates of shape {:?} do not fit into {:?} with {width} columns",
                values.dim(),
                out.dim()
            )));
        }
        for (row, mut out) in values.rows().into_iter().zip(out.rows_mut()) {
            let mut cells = out.iter_mut();
            for (column, value) in columns.iter().zip(row) {
                for (code, cell) in cells.by_ref().take(column.n_one_hot()).enumerate() {
                    *cell = match column.vocabulary {
                        Some(_) if !value.is_nan() => f64::from(u8::from(*value as usize == code)),
                        _ => *value,
                    };
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn each_row_has_a_one_at_its_category_and_missing_ones_stay_missing() {
        let schema: CovariateSchema = serde_json::from_str(
            r#"[{"name": "a", "known": "past"},
                {"name": "k", "known": "past", "vocabulary": {"categories": ["x", "y"], "unseen": "unknown"}}]"#,
        )
        .unwrap();
        assert_eq!(schema.one_hot_names(Known::Past), ["a", "k=?", "k=x", "k=y"]);
        let values = array![[5.0, 2.0], [f64::NAN, 0.0], [1.0, f64::NAN]];
        let mut out = Array2::from_elem((3, 4), -1.0);
        schema.one_hot(Known::Past, values.view(), out.view_mut()).unwrap();
        assert_eq!(out.row(0), array![5.0, 0.0, 0.0, 1.0]);
        assert!(out[[1, 0]].is_nan());
        assert_eq!(out.slice(ndarray::s![1, 1..]), array![1.0, 0.0, 0.0]);
        assert!(out.slice(ndarray::s![2, 1..]).iter().all(|v| v.is_nan()));
        assert!(schema.one_hot(Known::Future, values.view(), out.view_mut()).is_err());
        assert!(schema.one_hot_names(Known::Static).is_empty());
    }
}
