//! What stands beside our figures: S4's forecasting tables with Informer's rows.

use clap::ValueEnum;

/// All channels, or one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Features {
    /// All channels.
    #[value(name = "M")]
    M,
    /// The channel OT alone.
    #[value(name = "S")]
    S,
}

impl Features {
    pub(super) fn letter(self) -> &'static str {
        match self {
            Features::M => "M",
            Features::S => "S",
        }
    }
}

/// A cell of tables 13 and 14 of Gu et al. 2022 (arXiv 2111.00396), squared and absolute error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) set: &'static str,
    pub(super) features: Features,
    pub(super) horizon: usize,
    pub(super) s4: [f64; 2],
    /// Informer's, in the same tables.
    pub(super) informer: [f64; 2],
}

const fn cell(
    set: &'static str,
    features: Features,
    horizon: usize,
    s4: [f64; 2],
    informer: [f64; 2],
) -> Cell {
    Cell { set, features, horizon, s4, informer }
}

pub(super) const CELLS: [Cell; 30] = [
    cell("ETTh1", Features::S, 24, [0.061, 0.191], [0.098, 0.247]),
    cell("ETTh1", Features::S, 48, [0.079, 0.220], [0.158, 0.319]),
    cell("ETTh1", Features::S, 168, [0.104, 0.258], [0.183, 0.346]),
    cell("ETTh1", Features::S, 336, [0.080, 0.229], [0.222, 0.387]),
    cell("ETTh1", Features::S, 720, [0.116, 0.271], [0.269, 0.435]),
    cell("ETTh1", Features::M, 24, [0.525, 0.542], [0.577, 0.549]),
    cell("ETTh1", Features::M, 48, [0.641, 0.615], [0.685, 0.625]),
    cell("ETTh1", Features::M, 168, [0.980, 0.779], [0.931, 0.752]),
    cell("ETTh1", Features::M, 336, [1.407, 0.910], [1.128, 0.873]),
    cell("ETTh1", Features::M, 720, [1.162, 0.842], [1.215, 0.896]),
    cell("ETTh2", Features::S, 24, [0.095, 0.234], [0.093, 0.240]),
    cell("ETTh2", Features::S, 48, [0.191, 0.346], [0.155, 0.314]),
    cell("ETTh2", Features::S, 168, [0.167, 0.333], [0.232, 0.389]),
    cell("ETTh2", Features::S, 336, [0.189, 0.361], [0.263, 0.417]),
    cell("ETTh2", Features::S, 720, [0.187, 0.358], [0.277, 0.431]),
    cell("ETTh2", Features::M, 24, [0.871, 0.736], [0.720, 0.665]),
    cell("ETTh2", Features::M, 48, [1.240, 0.867], [1.457, 1.001]),
    cell("ETTh2", Features::M, 168, [2.580, 1.255], [3.489, 1.515]),
    cell("ETTh2", Features::M, 336, [1.980, 1.128], [2.723, 1.340]),
    cell("ETTh2", Features::M, 720, [2.650, 1.340], [3.467, 1.473]),
    cell("ETTm1", Features::S, 24, [0.024, 0.117], [0.030, 0.137]),
    cell("ETTm1", Features::S, 48, [0.051, 0.174], [0.069, 0.203]),
    cell("ETTm1", Features::S, 96, [0.086, 0.229], [0.194, 0.372]),
    cell("ETTm1", Features::S, 288, [0.160, 0.327], [0.401, 0.554]),
    cell("ETTm1", Features::S, 672, [0.292, 0.466], [0.512, 0.644]),
    cell("ETTm1", Features::M, 24, [0.426, 0.487], [0.323, 0.369]),
    cell("ETTm1", Features::M, 48, [0.580, 0.565], [0.494, 0.503]),
    cell("ETTm1", Features::M, 96, [0.699, 0.649], [0.678, 0.614]),
    cell("ETTm1", Features::M, 288, [0.824, 0.674], [1.056, 0.786]),
    cell("ETTm1", Features::M, 672, [0.846, 0.709], [1.192, 0.926]),
];
