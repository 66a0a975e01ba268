//! Numbers of many windows in one piece of memory.

/// One number for each window, channel and step, those of a window side by side.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ByWindow {
    n_channels: usize,
    horizon: usize,
    values: Vec<f64>, // (window, channel, step)
}

impl ByWindow {
    /// Zeros.
    pub(crate) fn zeros(n_windows: usize, n_channels: usize, horizon: usize) -> Self {
        ByWindow { n_channels, horizon, values: vec![0.0; n_windows * n_channels * horizon] }
    }

    pub(crate) fn n_windows(&self) -> usize {
        self.values.len() / self.window_len()
    }

    pub(crate) fn n_channels(&self) -> usize {
        self.n_channels
    }

    pub(crate) fn horizon(&self) -> usize {
        self.horizon
    }

    /// Numbers of a window, at least 1.
    pub(crate) fn window_len(&self) -> usize {
        (self.n_channels * self.horizon).max(1)
    }

    /// Everything, window by window. Shape `(window, channel, step)`.
    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// The steps of a window and channel. Shape `(horizon)`.
    pub(crate) fn path(&self, window: usize, channel: usize) -> &[f64] {
        let start = (window * self.n_channels + channel) * self.horizon;
        &self.values[start..start + self.horizon]
    }

    /// The steps of a channel, window by window. Shape `(horizon)` each.
    #[inline(always)]
    pub(crate) fn paths(&self, channel: usize) -> impl Iterator<Item = &[f64]> + Clone + '_ {
        let steps = channel * self.horizon..(channel + 1) * self.horizon;
        self.values.chunks_exact(self.window_len()).map(move |window| &window[steps.clone()])
    }

    /// The numbers of a channel and step, window by window.
    pub(crate) fn at(&self, channel: usize, step: usize) -> impl Iterator<Item = f64> + '_ {
        let first = channel * self.horizon + step;
        self.values.chunks_exact(self.window_len()).map(move |window| window[first])
    }

    /// Adds windows of the same shape behind those that are there.
    pub(crate) fn append(&mut self, more: &mut Self) {
        self.values.append(&mut more.values);
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers are moved, not computed")]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_found_by_path_and_by_step() {
        let mut all = ByWindow::zeros(2, 2, 3);
        let mut more = ByWindow::zeros(1, 2, 3);
        all.values_mut().iter_mut().enumerate().for_each(|(i, value)| *value = i as f64);
        more.values_mut().iter_mut().enumerate().for_each(|(i, value)| *value = (12 + i) as f64);
        all.append(&mut more);
        assert_eq!((all.n_windows(), more.n_windows(), all.window_len()), (3, 0, 6));
        assert_eq!(all.path(1, 1), [9.0, 10.0, 11.0]);
        for (channel, step) in [(0, 0), (0, 2), (1, 1)] {
            let paths: Vec<f64> = (0..3).map(|window| all.path(window, channel)[step]).collect();
            assert_eq!(all.at(channel, step).collect::<Vec<_>>(), paths);
            assert_eq!(all.paths(channel).map(|path| path[step]).collect::<Vec<_>>(), paths);
        }
        assert_eq!(ByWindow::default().at(0, 0).count(), 0);
    }
}
