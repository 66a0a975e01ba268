//! The protocol for one series: split and scaled once, then scored with any number of models.

use std::time::Instant;

use super::fitted::LtsfModel;
use super::ranges;
use super::windows::Sums;
use crate::ar::ArConfig;
use crate::baseline::WindowMeanConfig;
use crate::data::{
    CovariateSchema, InputColumns, Panel, Scaler, Scaling, Series, Split, SplitRule, scale_series,
};
use crate::model::{Cancel, Family, FitOptions, ModelConfig, Shape, Training, check_count};
use crate::nn::{Control, DeviceKind, TrainingEvent};
use crate::regression::Regression;
use crate::{Error, Result};

/// What the window mean looks back by default: two weeks of hours, as the literature's linear models do.
const WINDOW_MEAN_LOOKBACK: usize = 336;

/// What to score.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `horizons` | 96, 192, 336, 720 | steps ahead | at least 1, at most the test range |
/// | `split` | 0.7 / 0.1 / 0.2 | training, validation and test ranges; shares of training and test are rounded down, as in the literature's code | |
/// | `season_length` | a day, else the shortest usual season, that the training range holds twice | steps of one season | at least 1 |
#[derive(Debug, Clone, PartialEq)]
pub struct LtsfOptions {
    /// Steps ahead; each is scored on its own windows.
    pub horizons: Vec<usize>,
    /// Training, validation and test ranges. No family is fitted on the validation range; training by gradient stops
    /// where it does best there.
    pub split: SplitRule,
    /// Steps of one season, for seasonal naive and for defaults of other families.
    pub season_length: Option<usize>,
}

impl Default for LtsfOptions {
    fn default() -> Self {
        LtsfOptions {
            horizons: vec![96, 192, 336, 720],
            split: SplitRule::Ratio { train: 0.7, validation: 0.1 },
            season_length: None,
        }
    }
}

/// How one model did at one horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct LtsfScore {
    /// The name of the family.
    pub model: String,
    /// Steps ahead.
    pub horizon: usize,
    /// Mean squared error on scaled values.
    pub mse: f64,
    /// Mean absolute error on scaled values.
    pub mae: f64,
    /// Windows that were scored: all there are.
    pub n_windows: usize,
    /// Labels of these windows that are missing, and count nowhere.
    pub n_missing: usize,
    /// Steps that the model looks back.
    pub lookback: usize,
    /// Numbers that the model learned, those that are exactly zero left out.
    pub n_parameters: usize,
    /// Seconds of fitting; one fit serves all horizons but of networks.
    pub fit_seconds: f64,
}

/// One series, split and scaled, on which any number of models are scored.
#[derive(Debug, Clone)]
pub struct Ltsf {
    pub(super) channels: Vec<String>,
    /// Of the covariates that models may look at.
    schema: CovariateSchema,
    /// In the units of the data, up to the end of the test range.
    series: Series,
    pub(super) scaled: Series,
    pub(super) split: Split,
    /// Ascending, each once.
    pub(super) horizons: Vec<usize>,
    shape: Shape,
}

impl Ltsf {
    /// The series of a panel, ready for [`Ltsf::score`].
    ///
    /// # Errors
    /// [`Error::BadOption`] if the panel has several series or horizons, split or season are out of range,
    /// [`Error::AllMissing`] if a channel has no value to scale by or the test range none to score.
    ///
    /// # Example
    /// ```
    /// use forecast::eval::{Ltsf, LtsfOptions};
    /// use forecast::{ModelConfig, Panel, ReadOptions};
    /// let rows: String = (0..100).map(|i| format!("{i},{}\n", i % 2)).collect();
    /// let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// let options = LtsfOptions { horizons: vec![4], season_length: Some(2), ..LtsfOptions::default() };
    /// let ltsf = Ltsf::new(&panel, &options)?;
    /// let [naive] = &ltsf.score(&ModelConfig::parse("naive")?)?[..] else { panic!() };
    /// assert_eq!((naive.n_windows, naive.mse, naive.mae), (17, 2.0, 1.0)); // half of the steps are off by 2
    /// assert!(Ltsf::new(&panel, &LtsfOptions { horizons: vec![21], ..options }).is_err()); // 20 steps to test
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn new(panel: &Panel, options: &LtsfOptions) -> Result<Self> {
        let [series] = panel.series() else {
            let found = format!("{} series", panel.series().len());
            let rule = "the protocol scores one series; make its parts the columns of a wide table";
            return Err(Error::option("data", found, rule));
        };
        let split = ranges::split(series, options.split)?;
        let horizons = ranges::horizons(&options.horizons, series.id(), split.test.len())?;
        let n_train = split.train.len();
        let season_length = match options.season_length {
            Some(season_length) => check_count("season_length", season_length)?,
            None => ranges::default_season(&panel.frequency(), n_train),
        };
        let series = series.slice(0..split.test.end);
        ranges::check_observed(&series, panel.channels(), &split)?;
        let scalers = Scaler::fit(Scaling::Standard, &series, split.train.clone());
        let scaled = scale_series(&series, &scalers, panel.channels())?;
        let trained = scaled.slice(split.train.clone());
        let horizon = horizons.last().copied().unwrap_or(1);
        let shape = Shape {
            season_length,
            frequency: panel.frequency(),
            n_steps: n_train,
            horizon,
            n_series: 1,
            stretches: Shape::stretches([&trained]),
            has_gaps: Shape::has_gaps([&trained]),
            seed: FitOptions::default().seed,
        };
        let (channels, schema) = (panel.channels().to_vec(), panel.covariate_schema().clone());
        Ok(Ltsf { channels, schema, series, scaled, split, horizons, shape })
    }

    /// The baselines that no score stands without, then the models that were asked for, each family once; one
    /// that was asked for has the settings that it was asked for with.
    #[must_use]
    pub fn with_baselines(models: &[ModelConfig]) -> Vec<ModelConfig> {
        let mut all = vec![
            ModelConfig::Naive(Default::default()),
            ModelConfig::SeasonalNaive(Default::default()),
            ModelConfig::WindowMean(Default::default()),
        ];
        for model in models {
            match all.iter_mut().find(|known| known.name() == model.name()) {
                Some(known) => *known = model.clone(),
                None => all.push(model.clone()),
            }
        }
        all
    }

    /// Fits a model on the training range and scores it on every window, a row for each horizon, ascending. A
    /// window mean without a lookback takes 336 steps. A network is trained for each horizon.
    ///
    /// # Errors
    /// [`Error::BadOption`] for settings, [`Error::Constant`], [`Error::TooFewRows`] and [`Error::Singular`] for
    /// data that cannot be fitted.
    pub fn score(&self, config: &ModelConfig) -> Result<Vec<LtsfScore>> {
        self.score_watched(config, &mut |_| Control::Continue, &mut |_| Ok(()))
    }

    /// [`Ltsf::score`]; `watch` is told of every step and epoch of a training and may stop it, and `look` sees every
    /// fitted model.
    ///
    /// # Errors
    /// As [`Ltsf::score`], and those of `look`.
    pub fn score_watched(
        &self,
        config: &ModelConfig,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
        look: &mut dyn FnMut(&LtsfModel<'_>) -> Result<()>,
    ) -> Result<Vec<LtsfScore>> {
        let config = self.resolve(config)?;
        if !config.is_trained_once() {
            return self.score_at(&config, &self.horizons, watch, look);
        }
        let mut scores = Vec::new();
        for horizon in &self.horizons {
            scores.extend(self.score_at(&config, std::slice::from_ref(horizon), watch, look)?);
        }
        Ok(scores)
    }

    /// Fits a model for the longest horizon and scores nothing: the test range is not looked at, so settings can be
    /// chosen by what `look` sees of a training and its validation.
    ///
    /// # Errors
    /// As [`Ltsf::score_watched`].
    pub fn fit_watched(
        &self,
        config: &ModelConfig,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
        look: &mut dyn FnMut(&LtsfModel<'_>) -> Result<()>,
    ) -> Result<()> {
        let config = self.resolve(config)?;
        let left = self.left(&config)?;
        let horizon = self.horizons.last().copied().unwrap_or(1);
        let inputs = self.inputs(&config)?;
        let family = self.fit_at(&config, (&left, inputs.as_ref()), horizon, watch)?;
        let inputs = inputs.map(|inputs| inputs.rows(left.covariates(), 0..usize::MAX));
        let test = self.split.test.clone();
        look(&LtsfModel { family: family.as_ref(), scaled: &left, inputs: inputs.as_ref(), test })
    }

    /// Fits a resolved model for a horizon, on the series without what it is regressed on.
    fn fit_at(
        &self,
        config: &ModelConfig,
        (left, inputs): (&Series, Option<&InputColumns>),
        horizon: usize,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
    ) -> Result<Box<dyn Family>> {
        let (cuts, end) = match config.is_trained_once() {
            // Early stopping looks at the validation range.
            true => (Some([self.split.train.end]), self.split.validation.end),
            false => (None, self.split.train.end),
        };
        let train = left.slice(self.split.train.start..end);
        let training = Training {
            series: &[train],
            channels: &self.channels,
            horizon,
            cuts: cuts.as_ref().map(<[usize; 1]>::as_slice),
            checkpoint: None,
            weights: None,
            fingerprint: "",
            device: DeviceKind::Cpu,
            inputs,
            cancel: &Cancel::default(),
        };
        config.fit(&training, watch)
    }

    /// Fits a resolved model for the longest of some horizons, ascending, and scores it at all of them.
    fn score_at(
        &self,
        config: &ModelConfig,
        horizons: &[usize],
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
        look: &mut dyn FnMut(&LtsfModel<'_>) -> Result<()>,
    ) -> Result<Vec<LtsfScore>> {
        let start = Instant::now();
        let left = self.left(config)?;
        let (horizon, inputs) = (horizons.last().copied().unwrap_or(1), self.inputs(config)?);
        let family = self.fit_at(config, (&left, inputs.as_ref()), horizon, watch)?;
        let fit_seconds = start.elapsed().as_secs_f64();
        let inputs = inputs.map(|inputs| inputs.rows(left.covariates(), 0..usize::MAX));
        let (inputs, test) = (inputs.as_ref(), self.split.test.clone());
        look(&LtsfModel { family: family.as_ref(), scaled: &left, inputs, test })?;
        // What is known of coefficients is no coefficient.
        let learned = family.tensors().into_iter().filter(|(name, _)| is_learned(name));
        let n_nonzero = |values: &[f64]| values.iter().filter(|value| **value != 0.0).count();
        let n_parameters = learned.map(|(_, tensor)| n_nonzero(&tensor.values())).sum();
        let score = |(horizon, sums): (&usize, Sums)| LtsfScore {
            model: config.name().to_string(),
            horizon: *horizon,
            mse: sums.squared / sums.n_labels as f64,
            mae: sums.absolute / sums.n_labels as f64,
            n_windows: sums.n_windows,
            n_missing: sums.n_missing,
            lookback: family.lookback(),
            n_parameters,
            fit_seconds,
        };
        Ok(horizons.iter().zip(self.sums(family.as_ref(), (&left, inputs), horizons)).map(score).collect())
    }

    /// The series without what the model is regressed on, fitted on the training range; errors are the same with it put
    /// back into forecasts and labels.
    fn left(&self, config: &ModelConfig) -> Result<Series> {
        let regressors = match config.regressed() {
            Some(config) => config.regressors(self.series.index(), &self.schema, self.shape.horizon)?,
            None => None,
        };
        let Some(regressors) = regressors else { return Ok(self.scaled.clone()) };
        let train = [self.scaled.slice(self.split.train.clone())];
        let is_sparse = config.regressed().is_some_and(ArConfig::is_sparse);
        let regression = Regression::fit(&regressors, &train, true, is_sparse)?;
        let as_it_is = vec![Scaler::default(); self.channels.len()];
        regression.taken_out(0, &self.scaled, &as_it_is, &self.channels)
    }

    /// The covariates that a network takes, scaled by the training range.
    fn inputs(&self, config: &ModelConfig) -> Result<Option<InputColumns>> {
        if !config.takes_inputs() || self.schema.is_empty() {
            return Ok(None);
        }
        let (series, training) = (std::slice::from_ref(&self.scaled), [self.split.train.clone()]);
        InputColumns::fit(&self.schema, series, &training).checked().map(Some)
    }

    /// The ranges of training, validation and test labels.
    #[must_use]
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// Steps of one season.
    #[must_use]
    pub fn season_length(&self) -> usize {
        self.shape.season_length
    }

    /// Every choice made, and checked against the data.
    fn resolve(&self, config: &ModelConfig) -> Result<ModelConfig> {
        let before = self.split.test.start;
        let config = match config {
            ModelConfig::WindowMean(WindowMeanConfig { lookback: None }) => {
                ModelConfig::WindowMean(WindowMeanConfig { lookback: Some(WINDOW_MEAN_LOOKBACK.min(before)) })
            }
            config => config.resolve(&self.shape)?,
        };
        if config.lookback() > before {
            let rule = format!(
                "{} has only {before} steps of series \"{}\" before the test range; use at most that many",
                config.name(),
                self.series.id()
            );
            return Err(Error::option("lookback", config.lookback(), rule));
        }
        if config.learns() {
            ranges::check_varies(&self.series, &self.channels, &self.split)?;
        }
        Ok(config)
    }
}

/// True for tensors of numbers that a model learned: weights and intercepts, and all of a network.
fn is_learned(name: &str) -> bool {
    name.ends_with("weights") || name.ends_with("intercepts") || name.starts_with("network.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadOptions;
    use crate::data::{CovariateDeclaration, CovariateFlags, TimeIndex};
    use ndarray::Array2;

    fn panel(values: &[Array2<f64>]) -> Panel {
        let channels = ["a", "b"].map(String::from).to_vec();
        let series = values.iter().enumerate().map(|(at, values)| {
            let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), values.nrows());
            Series::new(format!("s{at}"), index, values.clone(), &channels).unwrap()
        });
        Panel::new(channels.clone(), series.collect()).unwrap()
    }

    fn saw(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, 2), |(step, channel)| ((step * (3 + channel)) % 7) as f64)
    }

    fn options(horizon: usize) -> LtsfOptions {
        LtsfOptions { horizons: vec![horizon], ..LtsfOptions::default() }
    }

    fn config(name: &str) -> ModelConfig {
        ModelConfig::parse(name).unwrap()
    }

    fn refused<T: std::fmt::Debug>(result: Result<T>, said: &str) {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(said), "{message}");
    }

    #[test]
    fn baselines_stand_beside_every_model_once_with_the_settings_that_were_asked_for() {
        let mean = config("window-mean").with("lookback", "7").unwrap();
        let all = Ltsf::with_baselines(&[config("ar"), mean.clone(), config("ar")]);
        let names: Vec<&str> = all.iter().map(ModelConfig::name).collect();
        assert_eq!(names, ["naive", "seasonal-naive", "window-mean", "ar"]);
        assert_eq!(all[2], mean);
        assert_eq!(Ltsf::with_baselines(&[]).len(), 3);
    }

    #[test]
    fn the_window_mean_looks_back_two_weeks_of_hours_where_there_are_so_many() {
        for (n, lookback) in [(1_000, 336), (200, 160)] {
            let ltsf = Ltsf::new(&panel(&[saw(n)]), &options(6)).unwrap();
            assert_eq!(ltsf.score(&config("window-mean")).unwrap()[0].lookback, lookback);
        }
    }

    #[test]
    fn a_season_that_a_model_is_regressed_on_needs_no_lags() {
        // A season of 24 steps whose noise an autoregression of one lag follows.
        let noise = |t: usize| ((t * t * 31 + t * 17) % 101) as f64 / 50.0 - 1.0;
        let value = |t: usize| 5.0 * (t as f64 * std::f64::consts::TAU / 24.0).sin() + noise(t);
        let values = Array2::from_shape_fn((1_000, 2), |(t, channel)| value(t + 7 * channel));
        let ltsf = Ltsf::new(&panel(&[values]), &options(24)).unwrap();
        let mse = |config: ModelConfig| ltsf.score(&config).unwrap()[0].mse;
        let plain = config("ar").with("order", "1").unwrap();
        let (with, without) = (mse(plain.with("fourier", "24:1").unwrap()), mse(plain));
        assert!(with < 0.1 && without > 5.0 * with, "{with} {without}");
    }

    #[test]
    fn covariates_that_are_declared_explain_their_share() {
        let noise = |t: usize| ((t * t * 31 + t * 17) % 101) as f64 / 50.0 - 1.0;
        let drive = |t: usize| ((t * t * 7 + t * 3) % 89) as f64 / 10.0;
        let rows: String =
            (0..600).map(|t| format!("{t},{},{}\n", 3.0 * drive(t) + noise(t), drive(t))).collect();
        let flags = CovariateFlags { future_col: vec!["x".into()], ..CovariateFlags::default() };
        let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
        let options_of = ReadOptions { covariates, ..ReadOptions::default() };
        let panel = Panel::read_csv(format!("ds,y,x\n{rows}").as_bytes(), "t.csv", &options_of).unwrap();
        let ltsf = Ltsf::new(&panel, &options(6)).unwrap();
        let mse = |config: ModelConfig| ltsf.score(&config).unwrap()[0].mse;
        let plain = config("ar").with("order", "2").unwrap();
        let (with, without) = (mse(plain.clone()), mse(plain.with("covariates", "ignore").unwrap()));
        assert!(with < 0.05 && without > 0.5, "{with} {without}");
    }

    #[test]
    fn what_cannot_be_scored_is_refused_with_the_reason() {
        let all = &panel(&[saw(200)]);
        refused(Ltsf::new(&panel(&[saw(99), saw(99)]), &options(6)), "data is 2 series");
        refused(Ltsf::new(all, &options(41)), "the test range of series \"s0\" has 40 steps");
        let season = |season_length| LtsfOptions { season_length: Some(season_length), ..options(6) };
        refused(Ltsf::new(all, &season(0)), "season_length is 0");
        let ltsf = Ltsf::new(all, &season(161)).unwrap();
        refused(
            ltsf.score(&config("seasonal-naive")),
            "lookback is 161, but seasonal-naive has only 160 steps",
        );
        refused(ltsf.score(&config("ar").with("order", "0").unwrap()), "order is 0");
        refused(ltsf.score(&config("ar").with("order", "100").unwrap()), "complete rows");

        let ett = LtsfOptions { split: SplitRule::EttMonths, ..options(6) };
        refused(Ltsf::new(all, &ett), "20 months of 30 days need 14400");
    }

    #[test]
    fn empty_and_constant_channels_are_named() {
        let mut values = saw(200);
        values.column_mut(1).slice_mut(ndarray::s![..140]).fill(f64::NAN);
        let said = "channel \"b\" of the training range (140 steps, all missing)";
        refused(Ltsf::new(&panel(&[values]), &options(6)), said);
        let mut values = saw(200);
        values.slice_mut(ndarray::s![160.., ..]).fill(f64::NAN);
        refused(Ltsf::new(&panel(&[values]), &options(6)), "the test range (40 steps, all missing)");

        let mut values = saw(200);
        values.column_mut(0).fill(0.1);
        let ltsf = Ltsf::new(&panel(&[values]), &options(6)).unwrap();
        refused(ltsf.score(&config("ar")), "all 140 observed values of \"a\" are 0.1");
        // Its last value is all there is to say.
        assert!(ltsf.score(&config("naive")).unwrap()[0].mse.is_finite());
    }
}
