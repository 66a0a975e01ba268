//! Calibration of a fit: on the validation range, and block by block on the steps before it.

use std::ops::Range;

use super::Purpose;
use super::fit_family::{Scaled, fit_family};
use super::fit_report::FitReport;
use super::plan::Plan;
use crate::Result;
use crate::data::{Panel, Series};
use crate::eval::conformal::{Calibration, Scored};
use crate::nn::Control;

impl Plan {
    /// The intervals' scores, from the validation range and from each block before it, and how `first`, which was
    /// fitted on the steps before `cuts`, does on the validation range.
    pub(super) fn calibrate(
        &self,
        panel: &Panel,
        cuts: &[usize],
        first: &Scaled,
        purpose: Purpose,
    ) -> Result<(Calibration, FitReport)> {
        let shape = (self.horizon, panel.channels().len());
        if purpose == Purpose::Points {
            return Ok((Calibration::none(panel.series().len(), shape, self.recency), FitReport::none()));
        }
        let validation: Vec<Range<usize>> =
            panel.series().iter().zip(cuts).map(|(series, cut)| *cut..series.n_steps()).collect();
        let mut residuals = first.residuals(self, panel, &validation)?;
        self.cancel.check()?;
        let (report, scored) = match purpose {
            Purpose::Model => (self.report(panel, cuts, &residuals), Scored::StepsAndPaths),
            _ => (FitReport::none(), Scored::Steps),
        };
        let ends: Vec<usize> = panel.series().iter().map(Series::n_steps).collect();
        let blocks =
            if self.config.is_trained_once() { Vec::new() } else { self.earlier_blocks(panel, cuts) };
        for block in blocks {
            self.cancel.check()?;
            if self.fits_alike() {
                let more = first.residuals(self, panel, &block)?;
                residuals.iter_mut().zip(more).for_each(|(all, more)| all.append(more));
                continue;
            }
            let others = without(panel, &block)?;
            // What cannot be fitted without the block leaves no errors on it.
            let Ok(fitted) = fit_family(self, &others, &ends, None, &mut |_| Control::Continue) else {
                continue;
            };
            let more = fitted.residuals(self, panel, &block)?;
            residuals.iter_mut().zip(more).for_each(|(all, more)| all.append(more));
        }
        self.cancel.check()?;
        Ok((Calibration::new(&residuals, shape, self.recency, scored), report))
    }
}

/// The panel with the steps of each range missing.
fn without(panel: &Panel, ranges: &[Range<usize>]) -> Result<Panel> {
    let blank = |(series, range): (&Series, &Range<usize>)| {
        let mut values = series.values().to_owned();
        values.slice_mut(ndarray::s![range.clone(), ..]).fill(f64::NAN);
        series.with_values(values, panel.channels())
    };
    panel.with_series(panel.series().iter().zip(ranges).map(blank).collect::<Result<_>>()?)
}
