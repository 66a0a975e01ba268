//! The coefficients of any step ahead in terms of the window alone.

use super::Family;

/// Intercept and weights of a step ahead (from 1), lag 1 first, on the scale of the model; `None` of a family without.
///
/// Steps that take earlier forecasts as lags are followed back to the values that those came from, the last forecast
/// first: `O(step * lookback)`.
pub(super) fn traced(
    family: &dyn Family,
    slot: usize,
    channel: usize,
    step: usize,
) -> Option<(f64, Vec<f64>)> {
    let n_direct = family.n_direct_steps();
    if step <= n_direct {
        return family.coefficients(slot, channel, step - 1);
    }
    let own: Vec<(f64, Vec<f64>)> =
        (0..n_direct).map(|step| family.coefficients(slot, channel, step)).collect::<Option<_>>()?;
    let order = family.lookback();
    // How much the forecast moves with each value of the path: the window, oldest first, then the forecasts.
    let mut moves = vec![0.0; order + step];
    moves[order + step - 1] = 1.0;
    let mut intercept = 0.0;
    for at in (0..step).rev() {
        let share = moves[order + at];
        let (constant, weights) = &own[at % n_direct];
        intercept += share * constant;
        let block = at - at % n_direct;
        let window = moves[block..block + order].iter_mut().rev();
        window.zip(weights).for_each(|(moves, weight)| *moves += share * weight);
    }
    moves.truncate(order);
    moves.reverse();
    Some((intercept, moves))
}
