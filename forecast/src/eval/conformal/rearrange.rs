//! Quantiles that do not cross.

use ndarray::Array2;

/// Sorts the values of several quantiles of one forecast at every step and channel, so that none crosses another.
///
/// `paths` are the quantiles in the order of their levels, lowest first, all of one shape `(horizon, channel)`.
/// Sorted quantiles are never further from the true ones than those that cross (Chernozhukov, Fernandez-Val,
/// Galichon 2010, *Quantile and probability curves without crossing*, proposition 4). Paths beyond the shape of
/// the first are left as they are there.
///
/// # Example
/// ```
/// use ndarray::array;
/// let mut paths = vec![array![[1.0], [5.0]], array![[2.0], [4.0]]];
/// forecast::eval::rearrange(&mut paths);
/// assert_eq!(paths, [array![[1.0], [4.0]], array![[2.0], [5.0]]]);
/// ```
pub fn rearrange(paths: &mut [Array2<f64>]) {
    let places: Vec<(usize, usize)> =
        paths.first().map_or_else(Vec::new, |first| first.indexed_iter().map(|(at, _)| at).collect());
    let mut values = Vec::with_capacity(paths.len());
    for at in places {
        values.clear();
        values.extend(paths.iter().filter_map(|path| path.get(at).copied()));
        values.sort_by(f64::total_cmp);
        let places = paths.iter_mut().filter_map(|path| path.get_mut(at));
        places.zip(&values).for_each(|(place, value)| *place = *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossing_quantiles_are_sorted_and_those_in_order_stay() {
        let mut paths: Vec<Array2<f64>> = (0..5)
            .map(|q| {
                Array2::from_shape_fn((40, 2), |(step, c)| {
                    f64::from(((q * 7 + step as i32) * 13 + c as i32) % 11)
                })
            })
            .collect();
        let before = paths.clone();
        assert!((0..40).any(|step| before[0][[step, 0]] > before[1][[step, 0]]), "nothing crosses");
        rearrange(&mut paths);
        for at in before[0].indexed_iter().map(|(at, _)| at) {
            assert!(paths.windows(2).all(|pair| pair[0][at] <= pair[1][at]));
            let sorted = crate::data::sorted(before.iter().map(|path| path[at]).collect());
            assert_eq!(paths.iter().map(|path| path[at]).collect::<Vec<_>>(), sorted);
        }
        let again = paths.clone();
        rearrange(&mut paths);
        assert_eq!(paths, again);
        rearrange(&mut []);
    }
}
