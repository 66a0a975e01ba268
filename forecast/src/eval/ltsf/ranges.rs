//! What the protocol is run on: horizons, split, season, and whether there is anything to score.

use std::ops::Range;

use crate::data::{Frequency, Series, Split, SplitRule, usual_seasons};
use crate::model::check_count;
use crate::{Error, Result};

/// Horizons of one run, at most.
const MOST_HORIZONS: usize = 100;

/// The horizons in ascending order, each once.
pub(super) fn horizons(asked: &[usize], series: &str, n_test: usize) -> Result<Vec<usize>> {
    if asked.is_empty() || asked.len() > MOST_HORIZONS {
        let rule = format!("there must be from 1 to {MOST_HORIZONS}");
        return Err(Error::option("number of horizons", asked.len(), rule));
    }
    for horizon in asked {
        if check_count("horizon", *horizon)? > n_test {
            let rule = format!("the test range of series \"{series}\" has {n_test} steps");
            return Err(Error::option("horizon", horizon, rule));
        }
    }
    let mut horizons = asked.to_vec();
    horizons.sort_unstable();
    horizons.dedup();
    Ok(horizons)
}

/// The ranges of a rule; shares as the literature's code rounds them.
pub(super) fn split(series: &Series, rule: SplitRule) -> Result<Split> {
    let mut split = rule.split(series)?;
    if let SplitRule::Ratio { train, validation } = rule {
        let n = series.n_steps();
        // Shares such as 1 - 0.7 - 0.1 are not exact.
        let steps = |share: f64| (n as f64 * share + 1e-9) as usize;
        let (train, test) = (steps(train), n - steps(1.0 - train - validation).min(n));
        split = Split { train: 0..train, validation: train..test.max(train), test: test.max(train)..n };
    }
    if split.train.is_empty() {
        let rule = format!("series \"{}\" needs at least one step to fit on", series.id());
        return Err(Error::option("training range of the split", 0, rule));
    }
    Ok(split)
}

/// A day where the step is shorter, else the shortest usual season; 1 if the training range holds none twice.
pub(super) fn default_season(frequency: &Frequency, n_train: usize) -> usize {
    const DAY: i64 = 86_400_000_000_000;
    let seasons: Vec<usize> = usual_seasons(frequency).into_iter().filter(|s| *s <= n_train / 2).collect();
    let in_a_day = DAY.checked_div(frequency.step.approximate_nanos()).and_then(|n| usize::try_from(n).ok());
    let within_a_day = seasons.iter().filter(|season| Some(**season) <= in_a_day).max();
    within_a_day.or(seasons.first()).copied().unwrap_or(1)
}

/// There has to be something to scale each channel by, and something to score.
pub(super) fn check_observed(series: &Series, channels: &[String], split: &Split) -> Result<()> {
    let missing = |place: String, range: &Range<usize>| Error::AllMissing {
        series: series.id().to_string(),
        place,
        steps: range.len(),
    };
    let train = series.slice(split.train.clone());
    if let Some(empty) = (0..channels.len()).find(|channel| train.n_observed(*channel) == 0) {
        let place = format!("channel \"{}\" of the training range", channels[empty]);
        return Err(missing(place, &split.train));
    }
    let test = series.slice(split.test.clone());
    if (0..channels.len()).all(|channel| test.n_observed(channel) == 0) {
        return Err(missing("the test range".to_string(), &split.test));
    }
    Ok(())
}

/// Nothing can be fitted to a channel whose values are all the same.
pub(super) fn check_varies(series: &Series, channels: &[String], split: &Split) -> Result<()> {
    let train = series.slice(split.train.clone());
    for (name, values) in channels.iter().zip(train.values().columns()) {
        let mut observed = values.iter().filter(|v| !v.is_nan());
        let first = observed.next().copied().unwrap_or(f64::NAN);
        if observed.clone().all(|v| v.to_bits() == first.to_bits()) {
            return Err(Error::Constant {
                series: series.id().to_string(),
                channel: name.clone(),
                observed: observed.count() + 1,
                value: first,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TimeIndex;
    use ndarray::Array2;

    fn series(n: usize) -> Series {
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), n);
        Series::new("s", index, Array2::zeros((n, 1)), &["y".into()]).unwrap()
    }

    #[test]
    fn shares_are_rounded_as_int_rounds_them_in_the_code_of_the_literature() {
        // num_train = int(n * 0.7), num_test = int(n * 0.2): exchange rate, weather, electricity, illness.
        for (n, n_train, n_test) in
            [(7_588, 5_311, 1_517), (52_696, 36_887, 10_539), (26_304, 18_412, 5_260), (966, 676, 193)]
        {
            let split = split(&series(n), SplitRule::Ratio { train: 0.7, validation: 0.1 }).unwrap();
            assert_eq!((split.train, split.test), (0..n_train, n - n_test..n));
            assert_eq!(split.validation, n_train..n - n_test);
        }
        let tenths = split(&series(100), SplitRule::Ratio { train: 0.8, validation: 0.1 }).unwrap();
        assert_eq!((tenths.train, tenths.validation, tenths.test), (0..80, 80..90, 90..100));
        let hours = split(&series(17_420), SplitRule::EttMonths).unwrap();
        assert_eq!(hours.test, 11_520..14_400);
    }

    #[test]
    fn splits_without_anything_to_fit_on_are_refused() {
        let message = |train: f64, validation: f64| {
            split(&series(50), SplitRule::Ratio { train, validation }).unwrap_err().to_string()
        };
        assert!(message(0.0, 0.5).contains("series \"s\" needs at least one step"));
        assert!(message(0.9, 0.2).contains("must lie in [0, 1] and add up"));
        assert!(message(f64::NAN, 0.2).contains("must lie in [0, 1]"));
    }

    #[test]
    fn the_season_is_a_day_else_a_shorter_or_the_shortest_usual_one() {
        let season = |step: &str, n_train: usize| default_season(&step.parse().unwrap(), n_train);
        assert_eq!([season("1h", 8_640), season("15min", 34_560), season("10min", 9_999)], [24, 96, 144]);
        assert_eq!([season("D", 700), season("7D", 676), season("MS", 100)], [7, 52, 12]);
        // A ride of an hour, a day of hours, and an index.
        assert_eq!([season("1s", 3_073), season("1h", 47), season("1", 1_000)], [60, 1, 1]);
    }

    #[test]
    fn horizons_are_scored_once_and_lie_inside_of_the_test_range() {
        assert_eq!(horizons(&[24, 96, 24], "s", 96).unwrap(), [24, 96]);
        for (asked, said) in [
            (vec![97], "horizon is 97, but the test range of series \"s\" has 96 steps"),
            (vec![0], "horizon is 0"),
            (vec![usize::MAX], "it must be at most"),
            (vec![], "number of horizons is 0"),
            (vec![1; 101], "number of horizons is 101"),
        ] {
            let message = horizons(&asked, "s", 96).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }
}
