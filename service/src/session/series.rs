//! One series of a session: its model state, its clock, and how its forecasts do.

use forecast::model::{Adaptive, StepCovariates};
use forecast::{Forecast, Model, Series, State, TimeIndex};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::error::SessionError;
use super::fallback::Season;
use super::figures::Figures;
use super::intervals;
use super::settings::{Settings, TimeAction, TimePolicy};

/// Where a fall-back of a series stands.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct FallbackState {
    /// The sequence number since which seasonal naive forecasts, if it does.
    pub since: Option<u64>,
    /// Times that it took over.
    pub n_times: u64,
}

/// One series of a session: plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesState {
    pub(super) id: String,
    /// None until the first stamp is known.
    pub(super) state: Option<State>,
    pub(super) adaptive: Option<Adaptive>,
    pub(super) season: Season,
    pub(super) figures: Figures,
    pub(super) fallback: FallbackState,
    /// The stamp of the next step: told from the state, kept so that it costs nothing.
    #[serde(skip)]
    pub(super) next_stamp: i64,
}

/// What a model is asked for again and again, and where its answers go: one for a session.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    next: Vec<f64>,
    missing: Vec<f64>,
}

impl Scratch {
    pub(super) fn new(n_channels: usize) -> Self {
        Scratch { next: vec![f64::NAN; n_channels], missing: vec![f64::NAN; n_channels] }
    }
}

/// What a series is to a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// The next step.
    Next,
    /// So many steps are left out before it.
    Gap(usize),
    /// The last step again.
    Duplicate,
    /// Before the last step.
    Late,
    /// Between two steps.
    OffGrid,
}

impl SeriesState {
    /// A series after a history, which may be empty; without an index it begins with its first stamp.
    ///
    /// # Errors
    /// Those of [`Model::start`] and [`Model::start_adaptive`].
    pub(super) fn new(
        model: &Model,
        settings: &Settings,
        id: &str,
        history: Option<&Series>,
    ) -> forecast::Result<Self> {
        let header = model.header();
        let (n_channels, n_levels) = (header.channels.len(), settings.levels.len());
        let mut series = SeriesState {
            id: id.to_string(),
            state: None,
            adaptive: None,
            season: Season::new(header.season_length, n_channels, settings.fallback.is_some()),
            figures: Figures::new(n_channels, n_levels),
            fallback: FallbackState::default(),
            next_stamp: 0,
        };
        if let Some(history) = history {
            series.begin(model, settings, history)?;
            let n_known = header.season_length.min(history.n_steps());
            for step in history.values().outer_iter().skip(history.n_steps() - n_known) {
                series.season.take(&step.to_vec());
            }
        }
        Ok(series)
    }

    fn begin(&mut self, model: &Model, settings: &Settings, history: &Series) -> forecast::Result<()> {
        let state = model.start(history)?;
        self.adaptive = intervals::start(model, settings, &state)?;
        self.state = Some(state);
        self.find_next_stamp();
        Ok(())
    }

    /// Tells the next stamp anew, after the state came from elsewhere.
    pub(super) fn find_next_stamp(&mut self) {
        self.next_stamp = self.state.as_ref().map_or(0, |state| state.index().stamp(state.index().len));
    }

    /// Begins the series with a first stamp, as if nothing had been.
    ///
    /// # Errors
    /// Those of [`Model::start`]; the series is then as it was.
    pub(super) fn restart(&mut self, model: &Model, settings: &Settings, stamp: i64) -> forecast::Result<()> {
        let header = model.header();
        let zone =
            self.state.as_ref().map_or_else(|| header.zone.clone(), |state| state.index().zone.clone());
        let index = TimeIndex::new(stamp, header.step, zone, 0);
        let index = match &header.opening {
            Some(opening) => index.with_opening(opening)?,
            None => index,
        };
        let empty = Array2::zeros((0, header.channels.len()));
        let history = Series::new(self.id.clone(), index, empty, &header.channels)?;
        self.begin(model, settings, &history)?;
        self.season = Season::new(header.season_length, header.channels.len(), settings.fallback.is_some());
        Ok(())
    }

    /// How a stamp continues the series.
    pub(super) fn fit(&self, stamp: i64) -> Fit {
        if stamp == self.next_stamp {
            return Fit::Next;
        }
        let Some(state) = &self.state else { return Fit::OffGrid };
        let (index, n) = (state.index(), state.index().len);
        let last = if n > 0 { index.stamp(n - 1) } else { self.next_stamp };
        match index.position(stamp) {
            _ if stamp < last => Fit::Late,
            _ if stamp == last => Fit::Duplicate,
            Some(at) => Fit::Gap(at.saturating_sub(n)),
            None => Fit::OffGrid,
        }
    }

    /// Scores and takes one step: one value a channel, NaN where missing.
    ///
    /// # Errors
    /// Those of [`Model::observe`], of which none is possible for values that were checked.
    pub(super) fn take(
        &mut self,
        context: (&Model, &Settings, &mut Scratch),
        values: &[f64],
        covariates: Option<&StepCovariates<'_>>,
        sequence: u64,
    ) -> forecast::Result<()> {
        let (model, settings, scratch) = context;
        let Some(state) = &mut self.state else { return Ok(()) };
        let is_scored =
            settings.scored_every <= 1 || self.figures.n_taken.is_multiple_of(settings.scored_every);
        if is_scored {
            if model.next_step(state, &mut scratch.next).is_err() {
                // Short of its lookback: there is no forecast yet.
                scratch.next.fill(f64::NAN);
            }
            intervals::judge(model, settings, state, self.adaptive.as_ref(), &mut self.figures, values);
            self.figures.score(values, &scratch.next, self.season.next());
        }
        match covariates {
            None => model.observe(state, values)?,
            Some(covariates) => model.observe_with(state, values, covariates)?,
        }
        if let Some(adaptive) = &mut self.adaptive {
            model.adapt(adaptive, state, values)?;
        }
        self.next_stamp = match state.index() {
            TimeIndex {
                step: forecast::Step::Nanos(step) | forecast::Step::Index(step),
                calendar: None,
                ..
            } => self.next_stamp.saturating_add(*step),
            index => index.stamp(index.len),
        };
        self.season.take(values);
        self.figures.n_taken += 1;
        self.figures.n_missing += u64::from(values.iter().any(|value| value.is_nan()));
        if is_scored {
            self.judge_fallback(settings, sequence);
        }
        Ok(())
    }

    /// Takes so many missing steps.
    pub(super) fn impute(
        &mut self,
        context: (&Model, &Settings, &mut Scratch),
        n: usize,
        sequence: u64,
    ) -> forecast::Result<()> {
        let (model, settings, scratch) = context;
        let missing = std::mem::take(&mut scratch.missing);
        let mut take =
            |scratch: &mut Scratch| self.take((model, settings, scratch), &missing, None, sequence);
        let taken = (0..n).try_for_each(|_| take(scratch));
        scratch.missing = missing;
        taken
    }

    /// Seasonal naive takes over above the limit, and the model returns below nine tenths of it.
    fn judge_fallback(&mut self, settings: &Settings, sequence: u64) {
        let Some(rule) = settings.fallback else { return };
        let Some(mase) = self.figures.mase().filter(|_| self.figures.n_scored >= rule.min_observations)
        else {
            return;
        };
        match self.fallback.since {
            None if mase > rule.mase_limit => {
                self.fallback = FallbackState { since: Some(sequence), n_times: self.fallback.n_times + 1 };
            }
            Some(_) if mase < 0.9 * rule.mase_limit => self.fallback.since = None,
            _ => {}
        }
    }

    /// The forecast that follows the last step; true if seasonal naive made it.
    ///
    /// # Errors
    /// [`forecast::Error::HistoryTooShort`] before the lookback, and those of the options.
    pub(super) fn forecast(
        &self,
        model: &Model,
        settings: &Settings,
        state: Option<&State>,
    ) -> Result<(Forecast, bool), SessionError> {
        let refused = |error| SessionError::Library(Box::new(error), "session".to_string());
        let Some(state) = state.or(self.state.as_ref()) else {
            let (series, lookback) = (self.id.clone(), model.lookback());
            return Err(refused(forecast::Error::HistoryTooShort { series, steps: 0, lookback }));
        };
        let options = intervals::options(settings, settings.horizon);
        if self.fallback.since.is_some() {
            let index = state.index().future(settings.horizon);
            let channels = &model.header().channels;
            if let Some(naive) = self.season.forecast(&self.id, index, channels, &options, &settings.levels) {
                return Ok((naive, true));
            }
        }
        let forecast = match &self.adaptive {
            Some(adaptive) => model.adaptive_forecast(adaptive, state),
            None => model.forecast_from(state, &options),
        };
        forecast.map(|forecast| (forecast, false)).map_err(refused)
    }

    /// What is known of the forecasts.
    #[must_use]
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Where its fall-back stands.
    #[must_use]
    pub fn fallback(&self) -> FallbackState {
        self.fallback
    }

    /// The series.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stamp of the last step; none before the first.
    #[must_use]
    pub fn last_stamp(&self) -> Option<i64> {
        self.state.as_ref().filter(|state| state.index().len > 0).map(|state| state.index().end())
    }

    /// True if the parts fit each other and the model.
    pub(super) fn is_sound(&self, model: &Model, settings: &Settings) -> bool {
        let header = model.header();
        let (n_channels, n_levels) = (header.channels.len(), settings.levels.len());
        self.figures.is_sound(n_channels, n_levels)
            && self.season.is_sound(header.season_length, n_channels, settings.fallback.is_some())
            && self.state.as_ref().is_none_or(|state| state.series() == self.id)
            && (self.adaptive.is_some() == (settings.adaptive && self.state.is_some()))
    }
}

impl TimePolicy {
    /// What is done with a stamp; none where it is simply taken.
    pub(super) fn action(&self, fit: Fit) -> Option<TimeAction> {
        match fit {
            Fit::Next => None,
            Fit::Gap(n) if self.gap == TimeAction::Impute && n > self.max_gap_steps => {
                Some(TimeAction::Reset)
            }
            Fit::Gap(_) => Some(self.gap),
            Fit::Duplicate => Some(self.duplicate),
            Fit::Late => Some(self.late),
            Fit::OffGrid => Some(self.off_grid),
        }
    }
}
