//! What the paper reports and how its scripts trained, cell by cell.

use forecast::ModelConfig;

use crate::error::Result;

/// A data set, channels and a horizon, with the scripts' settings and the paper's scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    pub(super) set: &'static str,
    pub(super) features: Features,
    pub(super) horizon: usize,
    lookback: usize,
    label_length: usize,
    encoder_layers: usize,
    decoder_layers: usize,
    factor: usize,
    /// Squared and absolute error of the paper's tables 1 and 2.
    pub(super) paper: [f64; 2],
}

/// Which channels are forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Features {
    /// All of them, from all of them.
    #[value(name = "M")]
    M,
    /// The oil temperature, from itself.
    #[value(name = "S")]
    S,
}

impl Features {
    pub(super) fn name(self) -> &'static str {
        match self {
            Features::M => "M",
            Features::S => "S",
        }
    }
}

/// The cells of ETTh1 and ETTh2, from the reference code's scripts and the paper's tables.
pub(super) const CELLS: [Cell; 20] = [
    Cell { factor: 3, ..cell("ETTh1", Features::M, 24, [48, 48, 2, 1], [0.577, 0.549]) },
    cell("ETTh1", Features::M, 48, [96, 48, 2, 1], [0.685, 0.625]),
    cell("ETTh1", Features::M, 168, [168, 168, 2, 1], [0.931, 0.752]),
    cell("ETTh1", Features::M, 336, [168, 168, 2, 1], [1.128, 0.873]),
    cell("ETTh1", Features::M, 720, [336, 336, 2, 1], [1.215, 0.896]),
    cell("ETTh1", Features::S, 24, [720, 168, 2, 1], [0.098, 0.247]),
    cell("ETTh1", Features::S, 48, [720, 168, 2, 1], [0.158, 0.319]),
    cell("ETTh1", Features::S, 168, [720, 336, 2, 1], [0.183, 0.346]),
    cell("ETTh1", Features::S, 336, [720, 336, 2, 1], [0.222, 0.387]),
    cell("ETTh1", Features::S, 720, [720, 336, 2, 1], [0.269, 0.435]),
    cell("ETTh2", Features::M, 24, [48, 48, 2, 1], [0.720, 0.665]),
    cell("ETTh2", Features::M, 48, [96, 96, 2, 1], [1.457, 1.001]),
    cell("ETTh2", Features::M, 168, [336, 336, 3, 2], [3.489, 1.515]),
    cell("ETTh2", Features::M, 336, [336, 168, 3, 2], [2.723, 1.340]),
    cell("ETTh2", Features::M, 720, [720, 336, 3, 2], [3.467, 1.473]),
    Cell { factor: 3, ..cell("ETTh2", Features::S, 24, [48, 48, 2, 1], [0.093, 0.240]) },
    cell("ETTh2", Features::S, 48, [96, 96, 2, 1], [0.155, 0.314]),
    cell("ETTh2", Features::S, 168, [336, 336, 2, 1], [0.232, 0.389]),
    cell("ETTh2", Features::S, 336, [336, 168, 3, 2], [0.263, 0.417]),
    cell("ETTh2", Features::S, 720, [336, 336, 2, 1], [0.277, 0.431]),
];

const fn cell(
    set: &'static str,
    features: Features,
    horizon: usize,
    [lookback, label_length, encoder_layers, decoder_layers]: [usize; 4],
    paper: [f64; 2],
) -> Cell {
    Cell { set, features, horizon, lookback, label_length, encoder_layers, decoder_layers, factor: 5, paper }
}

impl Cell {
    /// The scripts' settings, with those in place of some of them that are given as `KEY=VALUE`. The scripts leave `mix`
    /// on, which no preset does.
    pub(super) fn config(&self, changes: &[(String, String)], seed: u64) -> Result<ModelConfig> {
        let layers = |n: usize| vec!["prob"; n].join(",");
        let settings = [
            ("preset", "code".to_string()),
            ("mix", "true".to_string()),
            ("lookback", self.lookback.to_string()),
            ("label_length", self.label_length.to_string()),
            ("encoder_layers", layers(self.encoder_layers)),
            ("decoder_layers", layers(self.decoder_layers)),
            ("factor", self.factor.to_string()),
            ("seed", seed.to_string()),
        ];
        let settings = settings.iter().map(|(key, value)| (*key, value));
        let changes = changes.iter().map(|(key, value)| (key.as_str(), value));
        let mut config = ModelConfig::parse("informer")?;
        for (key, value) in settings.chain(changes) {
            config = config.with(key, value)?;
        }
        Ok(config)
    }

    /// `ETTh1_M_24`.
    pub(super) fn name(&self) -> String {
        format!("{}_{}_{}", self.set, self.features.name(), self.horizon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_settings_that_the_model_takes() {
        for cell in CELLS {
            let config = cell.config(&[], 3).unwrap();
            let json = serde_json::to_value(&config).unwrap();
            assert_eq!((&json["d_model"], &json["lookback"]), (&512.into(), &cell.lookback.into()));
            assert_eq!((&json["factor"], &json["seed"]), (&cell.factor.into(), &3.into()));
            assert_eq!(json["mix"], true);
            assert_eq!(json["encoder_layers"].as_array().unwrap().len(), cell.encoder_layers);
            assert!(cell.paper.iter().all(|score| *score > 0.0));
        }
        let changed = CELLS[0].config(&[("d_model".to_string(), "64".to_string())], 1).unwrap();
        assert_eq!(serde_json::to_value(&changed).unwrap()["d_model"], 64);
        assert!(CELLS[0].config(&[("d_modle".to_string(), "64".to_string())], 1).is_err());
    }
}
