//! The forecasting tables of the S4 paper on ETTh1, ETTh2 and ETTm1, and the long horizons of the literature: means of
//! some seeds over every window of the test range, beside the published figures and forecasts without a network.

use std::path::PathBuf;

use clap::Args;
use forecast::data::SplitRule;
use forecast::eval::{Ltsf, LtsfOptions, LtsfScore};
use forecast::{ModelConfig, Panel, ReadOptions};

use super::choose;
use super::paper::{CELLS, Cell, Features};
use crate::console;
use crate::error::{Error, Result};
use crate::measure::Spread;
use crate::record::Record;
use crate::topics::Setting;
use crate::topics::published::{LONG_CELLS, LongCell};

/// Names the folder of the data.
const FOLDER_VARIABLE: &str = "LONGCAST_DATA";

/// Which cells, and how they are trained.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct TableArguments {
    /// The folder of ETTh1.csv, ETTh2.csv and ETTm1.csv [default: that of LONGCAST_DATA].
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The data sets [default: all three].
    #[arg(long, value_name = "SET,...", value_delimiter = ',')]
    sets: Vec<String>,
    /// All channels (M), or one (S) [default: both].
    #[arg(long, value_name = "FEATURES,...", value_delimiter = ',')]
    features: Vec<Features>,
    /// Steps ahead [default: those of the tables].
    #[arg(long, value_name = "HORIZON,...", value_delimiter = ',')]
    horizons: Vec<usize>,
    /// Seeds of the networks of each cell [default: 1,2,3].
    #[arg(long, value_name = "SEED,...", value_delimiter = ',')]
    seeds: Vec<u64>,
    /// A setting in place of ours, such as mixer=s4; names of records then begin with ssm_changed.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    changes: Vec<(String, String)>,
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    let pair = text.split_once('=').map(|(key, value)| (key.trim().to_string(), value.trim().to_string()));
    pair.filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| format!("{text} is not KEY=VALUE, such as mixer=s4"))
}

/// Settings of all cells in place of the defaults, fixed beforehand; [`super::choose`] looks for better ones.
pub(super) const FIXED: [(&str, &str); 2] = [("mixer", "s4d"), ("normalisation", "last-value")];

/// The cells of the S4 paper that our errors are held to; the others stand beside for comparison.
const BARS: [(&str, Features, usize); 5] = [
    ("ETTh1", Features::S, 24),
    ("ETTh1", Features::S, 168),
    ("ETTh1", Features::S, 720),
    ("ETTh1", Features::M, 24),
    ("ETTh1", Features::M, 168),
];

impl TableArguments {
    /// The folder of the data.
    ///
    /// # Errors
    /// [`Error::Unexpected`] if none is named.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        let named = self.data_dir.clone().or_else(|| std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from));
        named.ok_or_else(|| {
            Error::Unexpected(format!(
                "no folder of ETTh1.csv, ETTh2.csv and ETTm1.csv is named; use --data-dir or {FOLDER_VARIABLE} (the \
                 files are at https://github.com/zhouhaoyi/ETDataset)"
            ))
        })
    }

    fn has(&self, set: &str, features: Features, horizon: usize) -> bool {
        (self.sets.is_empty() || self.sets.iter().any(|asked| asked == set))
            && (self.features.is_empty() || self.features.contains(&features))
            && (self.horizons.is_empty() || self.horizons.contains(&horizon))
    }

    /// What a cell is trained with, for each seed; what was `chosen` goes before what is fixed.
    fn configs(&self, chosen: &[(&str, &str)]) -> Result<Vec<ModelConfig>> {
        let mut config = ModelConfig::parse("ssm")?;
        for (key, value) in FIXED.iter().chain(chosen) {
            config = config.with(key, value)?;
        }
        for (key, value) in &self.changes {
            config = config.with(key, value)?;
        }
        self.seeds().iter().map(|seed| Ok(config.with("seed", &seed.to_string())?)).collect()
    }

    fn seeds(&self) -> &[u64] {
        if self.seeds.is_empty() { &[1, 2, 3] } else { &self.seeds }
    }
}

/// A cell with what stands beside it.
#[derive(Debug, Clone, Copy)]
enum Beside {
    Paper(Cell),
    Long(LongCell),
}

impl Beside {
    fn place(self) -> (&'static str, Features, usize) {
        match self {
            Beside::Paper(Cell { set, features, horizon, .. }) => (set, features, horizon),
            Beside::Long(LongCell { set, horizon, .. }) => (set, Features::M, horizon),
        }
    }
}

/// The tables; with `is_choosing`, every cell is trained with the settings that do best on its validation range.
pub(super) fn run(setting: &Setting, arguments: &TableArguments, is_choosing: bool) -> Result<Vec<Record>> {
    let all = CELLS.map(Beside::Paper).into_iter().chain(LONG_CELLS.map(Beside::Long));
    let mut cells: Vec<Beside> = all
        .filter(|cell| {
            let (set, features, horizon) = cell.place();
            arguments.has(set, features, horizon)
        })
        .collect();
    if cells.is_empty() {
        return Err(Error::Unexpected(
            "no cell of the tables has these sets, features and horizons; sets are ETTh1, ETTh2 and ETTm1, horizons 24 \
             to 720"
                .to_string(),
        ));
    }
    let mut arguments = arguments.clone();
    if setting.is_quick {
        // That it runs, not how good it is.
        cells.truncate(1);
        arguments.seeds = vec![1];
        arguments.changes.push(("epochs".to_string(), "1".to_string()));
    }
    let folder = arguments.folder()?;
    let mut records = Vec::new();
    for cell in cells {
        let (set, features, horizon) = cell.place();
        let target_columns = match features {
            Features::M => Vec::new(),
            Features::S => vec!["OT".to_string()],
        };
        let path = folder.join(format!("{set}.csv"));
        let panel = Panel::read(&path, &ReadOptions { target_columns, ..ReadOptions::default() })?;
        let split = SplitRule::EttMonths;
        let options = LtsfOptions { horizons: vec![horizon], split, ..LtsfOptions::default() };
        let ltsf = Ltsf::new(&panel, &options)?;
        let prefix = match (is_choosing, arguments.changes.is_empty()) {
            (true, _) => "ssm_chosen",
            (false, true) => "ssm",
            (false, false) => "ssm_changed",
        };
        // Horizons that are in both tables have a record in each.
        let table = if matches!(cell, Beside::Long(_)) { "long_" } else { "" };
        let name = format!("{prefix}_{table}{set}_{}_{horizon}", features.letter());
        let (mut networks, mut baselines) = (Vec::new(), Vec::new());
        for config in Ltsf::with_baselines(&[]) {
            baselines.extend(ltsf.score(&config)?);
        }
        let chosen = match is_choosing {
            true => choose::choose(&ltsf, &name, &arguments.configs(&[])?[0], setting.is_quick)?,
            false => Vec::new(),
        };
        for (config, seed) in arguments.configs(&chosen)?.iter().zip(arguments.seeds()) {
            let scores = ltsf.score(config)?;
            for score in &scores {
                console::note(format!(
                    "{name}, seed {seed}: mse {:.4}, mae {:.4} over {} windows, {} weights trained in {:.0} s",
                    score.mse, score.mae, score.n_windows, score.n_parameters, score.fit_seconds
                ));
            }
            networks.extend(scores);
        }
        records.extend(records_of(&name, cell, arguments.seeds(), &networks, &baselines));
    }
    Ok(records)
}

/// The means of the seeds beside everything.
fn records_of(
    name: &str,
    cell: Beside,
    seeds: &[u64],
    networks: &[LtsfScore],
    baselines: &[LtsfScore],
) -> Vec<Record> {
    let mean = |of: fn(&LtsfScore) -> f64| Spread::around_mean(networks.iter().map(of));
    let mse = || mean(|score| score.mse);
    let one = |figure: f64| Spread::of([figure]);
    let mut records = match cell {
        Beside::Paper(Cell { s4, informer, .. }) => {
            let mae = || mean(|score| score.mae);
            let of_mse =
                Record::new(&format!("{name}_mse"), "", mse()).beside("the S4 paper's table", one(s4[0]));
            vec![
                if BARS.contains(&cell.place()) { of_mse.at_most(s4[0]) } else { of_mse },
                Record::new(&format!("{name}_mae"), "", mae()).beside("the S4 paper's table", one(s4[1])),
                Record::new(&format!("{name}_mse_vs_informer"), "", mse())
                    .beside("Informer, in the same table", one(informer[0])),
                Record::new(&format!("{name}_mae_vs_informer"), "", mae())
                    .beside("Informer, in the same table", one(informer[1])),
            ]
        }
        Beside::Long(LongCell { seasonal_naive, nlinear, best, .. }) => vec![
            Record::new(&format!("{name}_mse"), "", mse())
                .beside("seasonal naive", one(seasonal_naive))
                .at_most(seasonal_naive),
            Record::new(&format!("{name}_mse_vs_nlinear"), "", mse())
                .beside("NLinear, published", one(nlinear)),
            Record::new(&format!("{name}_mse_vs_best"), "", mse()).beside("the best published", one(best)),
        ],
    };
    records.extend(baselines.iter().map(|baseline| {
        let record = Record::new(&format!("{name}_mse_vs_{}", baseline.model.replace('-', "_")), "", mse());
        record.beside(&baseline.model, one(baseline.mse))
    }));
    records.into_iter().map(|record| record.of_seeds(seeds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_chosen_and_what_is_not_there_is_named() {
        let all = TableArguments::default();
        assert!(CELLS.iter().all(|cell| all.has(cell.set, cell.features, cell.horizon)));
        let few = TableArguments {
            sets: vec!["ETTh1".to_string()],
            features: vec![Features::S],
            horizons: vec![24],
            ..TableArguments::default()
        };
        assert_eq!(CELLS.iter().filter(|cell| few.has(cell.set, cell.features, cell.horizon)).count(), 1);
        let setting = Setting { is_quick: false, has_peers: false, longcast: None, plots: None };
        let none = TableArguments { sets: vec!["ECL".to_string()], ..TableArguments::default() };
        assert!(BARS.iter().all(|bar| CELLS.iter().any(|cell| Beside::Paper(*cell).place() == *bar)));
        assert!(run(&setting, &none, false).unwrap_err().to_string().contains("ETTm1"));
        assert!(pair("mixer").is_err() && pair("=s4").is_err());
        let configs = all.configs(&[("mixer", "s4")]).unwrap();
        assert_eq!(
            (configs.len(), serde_json::to_value(&configs[2]).unwrap()["mixer"].as_str()),
            (3, Some("s4"))
        );
    }

    #[test]
    fn the_mean_of_the_seeds_stands_beside_the_tables() {
        let score = |mse| LtsfScore {
            model: "naive".to_string(),
            horizon: 24,
            mse,
            mae: mse,
            n_windows: 1,
            n_missing: 0,
            lookback: 1,
            n_parameters: 0,
            fit_seconds: 0.0,
        };
        let cell = Beside::Long(LONG_CELLS[0]);
        let records = records_of("a", cell, &[1, 2, 3], &[score(0.2), score(0.3), score(0.7)], &[score(0.9)]);
        let names: Vec<&str> = records.iter().map(Record::name).collect();
        assert_eq!(names, ["a_mse", "a_mse_vs_nlinear", "a_mse_vs_best", "a_mse_vs_naive"]);
        assert!((records[0].value() - 0.4).abs() < 1e-12);
    }
}
