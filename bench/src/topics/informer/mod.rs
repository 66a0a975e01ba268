//! `informer`: the tables of the Informer paper on ETTh1 and ETTh2, several seeds, every window of the test range
//! scored, beside the paper's figures and beside naive forecasts.

mod scripts;

use std::path::{Path, PathBuf};

use clap::Args;
use forecast::data::SplitRule;
use forecast::eval::{Ltsf, LtsfModel, LtsfOptions, LtsfScore};
use forecast::nn::Control;
use forecast::plot::AttentionChart;
use forecast::{ModelConfig, Panel, ReadOptions};

use super::Setting;
use crate::console;
use crate::error::{Error, Result};
use crate::measure::Spread;
use crate::record::Record;
use scripts::{CELLS, Cell, Features};

/// Names the folder of the data.
const FOLDER_VARIABLE: &str = "LONGCAST_DATA";
const PAPER: &str = "the paper's table";

/// One of the errors of a score.
type ErrorOf = fn(&LtsfScore) -> f64;

/// Which cells, and how they are trained.
#[derive(Debug, Clone, Args)]
pub(crate) struct InformerArguments {
    /// The folder of ETTh1.csv and ETTh2.csv [default: that of LONGCAST_DATA].
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The data sets.
    #[arg(long, value_name = "SET,...", value_delimiter = ',', default_value = "ETTh1,ETTh2")]
    sets: Vec<String>,
    /// All channels (M), or one (S).
    #[arg(long, value_name = "FEATURES,...", value_delimiter = ',', default_value = "M,S")]
    features: Vec<Features>,
    /// Steps ahead.
    #[arg(long, value_name = "HORIZON,...", value_delimiter = ',', default_value = "24,48,168,336,720")]
    horizons: Vec<usize>,
    /// Seeds of the networks of each cell.
    #[arg(long, value_name = "SEED,...", value_delimiter = ',', default_value = "1,2,3")]
    seeds: Vec<u64>,
    /// A setting in place of the scripts', such as d_model=64; names of records then begin with informer_changed.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    changes: Vec<(String, String)>,
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    let pair = text.split_once('=').map(|(key, value)| (key.trim().to_string(), value.trim().to_string()));
    pair.filter(|(key, _)| !key.is_empty())
        .ok_or_else(|| format!("{text} is not KEY=VALUE, such as d_model=64"))
}

/// The quick form alone: with `all` nothing is trained for hours.
pub(crate) fn run_quick(setting: &Setting) -> Result<Vec<Record>> {
    if setting.is_quick {
        return quick(setting);
    }
    console::note("informer: left out, since it trains for hours; run forecast-bench informer for it");
    Ok(Vec::new())
}

pub(crate) fn run(setting: &Setting, arguments: &InformerArguments) -> Result<Vec<Record>> {
    if setting.is_quick {
        return quick(setting);
    }
    let cells: Vec<Cell> = CELLS.into_iter().filter(|cell| arguments.has(cell)).collect();
    if cells.is_empty() {
        return Err(Error::Unexpected(format!(
            "no cell of the paper's tables has these sets ({}), features and horizons ({:?}); sets are ETTh1 and \
             ETTh2, horizons 24, 48, 168, 336 and 720",
            arguments.sets.join(", "),
            arguments.horizons
        )));
    }
    let folder = arguments.folder()?;
    let mut records = Vec::new();
    for cell in cells {
        let panel = read(&folder, cell)?;
        let split = SplitRule::EttMonths;
        let options = LtsfOptions { horizons: vec![cell.horizon], split, ..LtsfOptions::default() };
        let ltsf = Ltsf::new(&panel, &options)?;
        let configs = arguments.seeds.iter().map(|seed| Ok((*seed, cell.config(&arguments.changes, *seed)?)));
        let prefix = if arguments.changes.is_empty() { "informer" } else { "informer_changed" };
        let name = format!("{prefix}_{}", cell.name());
        let scored = Scored::of(&ltsf, configs.collect::<Result<Vec<_>>>()?, &name, setting)?;
        records.extend(scored.records(&name, Some(cell.paper)));
    }
    Ok(records)
}

impl InformerArguments {
    fn has(&self, cell: &Cell) -> bool {
        self.sets.iter().any(|set| set == cell.set)
            && self.features.contains(&cell.features)
            && self.horizons.contains(&cell.horizon)
    }

    fn folder(&self) -> Result<PathBuf> {
        let named = self.data_dir.clone().or_else(|| std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from));
        named.ok_or_else(|| {
            Error::Unexpected(format!(
                "no folder of ETTh1.csv and ETTh2.csv is named; use --data-dir or {FOLDER_VARIABLE} (the files are \
                 at https://github.com/zhouhaoyi/ETDataset), or --quick for a small bundled series"
            ))
        })
    }
}

fn read(folder: &Path, cell: Cell) -> Result<Panel> {
    let target_columns = match cell.features {
        Features::M => Vec::new(),
        Features::S => vec!["OT".to_string()],
    };
    let path = folder.join(format!("{}.csv", cell.set));
    Ok(Panel::read(&path, &ReadOptions { target_columns, ..ReadOptions::default() })?)
}

/// A network of a second on the end of a bundled series: that it runs, not how good it is.
fn quick(setting: &Setting) -> Result<Vec<Record>> {
    const N_STEPS: usize = 1_200;
    let set = forecast_datasets::find("electricity")?;
    let panel = Panel::read_csv(&set.csv()?, &set.file, &ReadOptions::default())?;
    let panel = panel.map_in_order(|series| series.slice(series.n_steps() - N_STEPS..series.n_steps()));
    let ltsf = Ltsf::new(&panel, &LtsfOptions { horizons: vec![24], ..LtsfOptions::default() })?;
    let mut config = ModelConfig::parse("informer")?;
    for (key, value) in
        [("d_model", "16"), ("d_ff", "32"), ("lookback", "48"), ("label_length", "24"), ("epochs", "2")]
    {
        config = config.with(key, value)?;
    }
    let name = "informer_quick_electricity_24";
    Ok(Scored::of(&ltsf, vec![(1, config)], name, setting)?.records(name, None))
}

/// Scores of one cell: baselines, and a network for each seed.
#[derive(Debug)]
struct Scored {
    seeds: Vec<u64>,
    baselines: Vec<LtsfScore>,
    networks: Vec<LtsfScore>,
}

impl Scored {
    fn of(ltsf: &Ltsf, configs: Vec<(u64, ModelConfig)>, name: &str, setting: &Setting) -> Result<Self> {
        let mut baselines = Vec::new();
        for config in Ltsf::with_baselines(&[]) {
            baselines.extend(ltsf.score(&config)?);
        }
        let mut networks = Vec::new();
        for (at, (seed, config)) in configs.iter().enumerate() {
            let mut look = |model: &LtsfModel<'_>| match &setting.plots {
                // One window of the first network is enough to see what it looks at.
                Some(folder) if at == 0 => draw(model, name, folder),
                _ => Ok(()),
            };
            let scores = ltsf.score_watched(config, &mut |_| Control::Continue, &mut look)?;
            for score in &scores {
                console::note(format!(
                    "{name}, seed {seed}: mse {:.4}, mae {:.4} over {} windows, {} weights trained in {:.0} s",
                    score.mse, score.mae, score.n_windows, score.n_parameters, score.fit_seconds
                ));
            }
            networks.extend(scores);
        }
        let seeds = configs.iter().map(|(seed, _)| *seed).collect();
        Ok(Scored { seeds, baselines, networks })
    }

    fn records(&self, name: &str, paper: Option<[f64; 2]>) -> Vec<Record> {
        let mean = |of: ErrorOf| Spread::around_mean(self.networks.iter().map(of));
        let mut records = Vec::new();
        let errors: [(&str, ErrorOf); 2] = [("mse", |score| score.mse), ("mae", |score| score.mae)];
        for (at, (error, of)) in errors.into_iter().enumerate() {
            let ours = || Record::new(&format!("{name}_{error}"), "", mean(of)).of_seeds(&self.seeds);
            records.push(match paper.map(|paper| paper[at]) {
                Some(paper) => ours().beside(PAPER, Spread::of([paper])).at_most(paper),
                None => ours(),
            });
            for baseline in &self.baselines {
                let suffix = baseline.model.replace('-', "_");
                let record = Record::new(&format!("{name}_{error}_vs_{suffix}"), "", mean(of));
                records
                    .push(record.of_seeds(&self.seeds).beside(&baseline.model, Spread::of([of(baseline)])));
            }
        }
        records
    }
}

/// What a network looks at in the first window of the test range.
fn draw(model: &LtsfModel<'_>, name: &str, folder: &Path) -> forecast::Result<()> {
    let make =
        |source| forecast::Error::Io { action: "cannot make the folder", path: folder.to_path_buf(), source };
    std::fs::create_dir_all(folder).map_err(make)?;
    let title = format!("{name}: attention of the first window of the test range");
    let chart = AttentionChart { title, maps: model.attention(0)? };
    forecast::write_atomically(folder.join(format!("{name}-attention.png")), &chart.render()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: InformerArguments,
    }

    #[test]
    fn cells_are_chosen_and_missing_data_named() {
        let all = Line::parse_from(["informer"]).arguments;
        assert!(CELLS.iter().all(|cell| all.has(cell)));
        let few = InformerArguments { sets: vec!["ETTh1".to_string()], horizons: vec![24], ..all.clone() };
        assert_eq!(CELLS.iter().filter(|cell| few.has(cell)).count(), 2);
        let none = InformerArguments { sets: vec!["ECL".to_string()], ..all };
        let setting = Setting { is_quick: false, has_peers: false, longcast: None, plots: None };
        let message = run(&setting, &none).unwrap_err().to_string();
        assert!(message.contains("ECL") && message.contains("ETTh1"), "{message}");
        assert!(pair("d_model").is_err() && pair("=3").is_err());
        assert_eq!(pair("d_model=64").unwrap(), ("d_model".to_string(), "64".to_string()));
    }

    #[test]
    fn records_are_means_of_the_seeds_beside_the_paper_and_the_baselines() {
        let score = |model: &str, mse| LtsfScore {
            model: model.to_string(),
            horizon: 24,
            mse,
            mae: mse / 2.0,
            n_windows: 10,
            n_missing: 0,
            lookback: 48,
            n_parameters: 1,
            fit_seconds: 1.0,
        };
        let scored = Scored {
            seeds: vec![1, 2, 5],
            baselines: vec![score("naive", 2.0), score("seasonal-naive", 1.0)],
            networks: vec![score("informer", 0.3), score("informer", 0.4), score("informer", 0.8)],
        };
        let records = scored.records("a", Some([0.5, 0.2]));
        let names: Vec<&str> = records.iter().map(Record::name).collect();
        assert_eq!(
            names,
            [
                "a_mse",
                "a_mse_vs_naive",
                "a_mse_vs_seasonal_naive",
                "a_mae",
                "a_mae_vs_naive",
                "a_mae_vs_seasonal_naive"
            ]
        );
        assert!((records[0].value() - 0.5).abs() < 1e-12);
        let json = crate::record::json(&records).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed[5]["seeds"], serde_json::json!([1, 2, 5]));
        assert_eq!((json.matches("\"ok\": true").count(), json.matches("\"ok\": false").count()), (1, 1));
    }
}
