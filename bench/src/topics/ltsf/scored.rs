//! The scores of one data set as records and as rows of a table.

use forecast::eval::LtsfScore;

use crate::measure::Spread;
use crate::record::Record;
use crate::topics::published::LONG_CELLS;

/// The most that the squared error of `ar` may be.
const BARS: [(&str, usize, f64); 10] = [
    ("ETTh1", 96, 0.366),
    ("ETTh1", 192, 0.401),
    ("ETTh1", 336, 0.424),
    ("ETTh1", 720, 0.420),
    ("ETTh2", 96, 0.269),
    ("ETTh2", 192, 0.331),
    ("ETTh2", 336, 0.355),
    ("ETTh2", 720, 0.380),
    ("ETTm1", 96, 0.301),
    ("ETTm1", 336, 0.365),
];
/// The most seconds that a fit of `ar` may take.
const MOST_SECONDS: f64 = 1.0;
/// The most that the error of `ar-net` may be over that of `ar`, and its weights over theirs.
const MOST_ERROR: f64 = 1.02;
const MOST_WEIGHTS: f64 = 0.25;

const SEASONAL_NAIVE: &str = "seasonal-naive";

pub(super) const HEADING: [&str; 13] = [
    "set",
    "steps",
    "windows",
    "naive",
    "seasonal naive",
    "window mean",
    "ar",
    "bar",
    "ok",
    "published",
    "ar-net",
    "share",
    "seconds",
];

/// Every model on one data set.
#[derive(Debug)]
pub(super) struct Scored {
    pub(super) name: &'static str,
    /// Steps ahead, ascending.
    pub(super) horizons: Vec<usize>,
    /// A score for each model and horizon.
    pub(super) scores: Vec<LtsfScore>,
}

impl Scored {
    fn score(&self, model: &str, horizon: usize) -> Option<&LtsfScore> {
        self.scores.iter().find(|score| score.model == model && score.horizon == horizon)
    }

    fn bar(&self, horizon: usize) -> Option<f64> {
        let cell = BARS.iter().find(|(set, steps, _)| *set == self.name && *steps == horizon);
        cell.map(|(.., bar)| *bar)
    }

    fn published(&self, horizon: usize) -> Option<f64> {
        let cell = LONG_CELLS.iter().find(|cell| cell.set == self.name && cell.horizon == horizon);
        cell.map(|cell| cell.best)
    }

    /// Non-zero weights of `ar-net` over those of `ar`: one fit serves all horizons.
    fn share_of_weights(&self) -> Option<f64> {
        let weights = |model| Some(self.score(model, *self.horizons.last()?)?.n_parameters as f64);
        Some(weights("ar-net")? / weights("ar")?)
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = self.scores.iter().flat_map(|score| self.of_score(score)).collect();
        let set = words(self.name);
        for horizon in &self.horizons {
            let (ar, sparse) = (self.score("ar", *horizon), self.score("ar-net", *horizon));
            if let Some((ar, sparse)) = ar.zip(sparse) {
                let name = format!("ltsf_{set}_{horizon}_ar_net_mse_over_ar");
                records.push(Record::new(&name, "x", one(sparse.mse / ar.mse)).at_most(MOST_ERROR));
            }
        }
        if let Some(share) = self.share_of_weights() {
            let name = format!("ltsf_{set}_ar_net_weights_over_ar");
            records.push(Record::new(&name, "x", one(share)).at_most(MOST_WEIGHTS));
        }
        for model in ["ar", "ar-net"] {
            if let Some(score) = self.scores.iter().find(|score| score.model == model) {
                let name = format!("ltsf_{set}_{}_fit_seconds", words(model));
                let record = Record::new(&name, "s", one(score.fit_seconds));
                records.push(if model == "ar" { record.at_most(MOST_SECONDS) } else { record });
            }
        }
        records
    }

    /// A squared error beside seasonal naive's, and that of a fitted model beside what is published.
    fn of_score(&self, score: &LtsfScore) -> Vec<Record> {
        let horizon = score.horizon;
        let name = format!("ltsf_{}_{horizon}_{}_mse", words(self.name), words(&score.model));
        let mut record = Record::new(&name, "", one(score.mse));
        if let Some(naive) = self.score(SEASONAL_NAIVE, horizon).filter(|naive| naive.model != score.model) {
            record = record.beside("seasonal naive", one(naive.mse));
        }
        if let Some(bar) = self.bar(horizon).filter(|_| score.model == "ar") {
            record = record.at_most(bar);
        }
        let is_fitted = score.model.starts_with("ar");
        let best = self.published(horizon).filter(|_| is_fitted).map(|best| {
            Record::new(&format!("{name}_vs_best"), "", one(score.mse))
                .beside("the best published, every window scored", one(best))
        });
        std::iter::once(record).chain(best).collect()
    }

    /// A row for each horizon, as [`HEADING`] names its cells.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let figure = |figure: Option<f64>| figure.map_or("-".to_string(), |figure| format!("{figure:.3}"));
        let row = |horizon: &usize| {
            let mse = |model| self.score(model, *horizon).map(|score| score.mse);
            let seconds = |model| self.score(model, *horizon).map(|score| score.fit_seconds);
            let bar = self.bar(*horizon);
            let is_reached = mse("ar").zip(bar).map(|(mse, bar)| if mse <= bar { "yes" } else { "NO" });
            let n_windows = self.scores.iter().find(|score| score.horizon == *horizon);
            vec![
                self.name.to_string(),
                horizon.to_string(),
                n_windows.map_or("-".to_string(), |score| score.n_windows.to_string()),
                figure(mse("naive")),
                figure(mse(SEASONAL_NAIVE)),
                figure(mse("window-mean")),
                figure(mse("ar")),
                figure(bar),
                is_reached.unwrap_or("-").to_string(),
                figure(self.published(*horizon)),
                figure(mse("ar-net")),
                figure(self.share_of_weights()),
                format!("{}, {}", figure(seconds("ar")), figure(seconds("ar-net"))),
            ]
        };
        self.horizons.iter().map(row).collect()
    }
}

fn one(figure: f64) -> Spread {
    Spread::of([figure])
}

/// A name as part of the name of a record.
fn words(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(model: &str, mse: f64, n_parameters: usize) -> LtsfScore {
        LtsfScore {
            model: model.to_string(),
            horizon: 96,
            mse,
            mae: mse,
            n_windows: 5,
            n_missing: 0,
            lookback: 1,
            n_parameters,
            fit_seconds: 0.5,
        }
    }

    fn scored(name: &'static str) -> Scored {
        let scores = vec![
            score("naive", 1.0, 0),
            score("seasonal-naive", 0.5, 0),
            score("ar", 0.36, 100),
            score("ar-net", 0.37, 20),
        ];
        Scored { name, horizons: vec![96], scores }
    }

    #[test]
    fn every_error_stands_beside_seasonal_naive_and_cells_beside_their_bars() {
        let json = crate::record::json(&scored("ETTh1").records()).unwrap();
        let records: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        let of = |name: &str| records.iter().find(|record| record["name"] == name).unwrap().clone();
        let ar = of("ltsf_ETTh1_96_ar_mse");
        assert_eq!((ar["peer"].as_str(), ar["bar"].as_f64()), (Some("seasonal naive"), Some(0.366)));
        assert!(of("ltsf_ETTh1_96_seasonal_naive_mse")["peer"].is_null());
        assert_eq!(of("ltsf_ETTh1_96_ar_net_mse_vs_best")["ok"], serde_json::Value::Null);
        assert_eq!(of("ltsf_ETTh1_96_ar_net_mse_over_ar")["ok"], false);
        assert_eq!(of("ltsf_ETTh1_ar_net_weights_over_ar")["ok"], true);
        assert_eq!(of("ltsf_ETTh1_ar_fit_seconds")["ok"], true);
        assert!(of("ltsf_ETTh1_ar_net_fit_seconds")["bar"].is_null());
        assert!(!json.contains("naive_mse_vs_best"));
    }

    #[test]
    fn where_nothing_comparable_is_published_nothing_stands_beside() {
        let json = crate::record::json(&scored("household-power").records()).unwrap();
        assert!(json.contains("ltsf_household_power_96_ar_mse") && !json.contains("_vs_best"), "{json}");
        let row = &scored("household-power").rows()[0];
        assert_eq!(row.len(), HEADING.len());
        assert_eq!((row[5].as_str(), row[6].as_str(), row[7].as_str()), ("-", "0.360", "-"));
        assert_eq!(scored("ETTh1").rows()[0][6..10], ["0.360", "0.366", "yes", "0.352"]);
    }

    #[test]
    fn every_bar_is_of_a_cell_that_is_scored() {
        let sets = super::super::sets::SETS;
        for (name, horizon, _) in BARS {
            assert!(sets.iter().any(|set| set.name == name && set.horizons.contains(&horizon)), "{name}");
        }
    }
}
