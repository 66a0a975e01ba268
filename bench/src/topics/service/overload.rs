//! Ten times as many calls as the server can answer: how much of its capacity is left, whether the others are told
//! when to try again, and how soon all is as before.
//!
//! Forecasts take the server about a hundred times as long as they take the client to ask for, which shares its cores.

use std::time::{Duration, Instant};

use super::Pace;
use super::work::Work;
use crate::console;
use crate::error::{Error, Result};
use crate::load::unary::Calls;
use crate::measure::Spread;
use crate::record::Record;

const AT_A_TIME: usize = 16;
/// A server takes so many calls of a connection at a time that it could answer those of two.
const CONNECTIONS: usize = 32;
/// How many times the capacity is asked for.
const LOAD: f64 = 10.0;
/// The least share of the capacity that is still answered.
const LEAST_GOODPUT: f64 = 0.7;
/// Seconds after which latencies are as before, at most.
const SOON: f64 = 5.0;
/// What is looked at after the overload, at a time and in all.
const SLICE: Duration = Duration::from_millis(500);
const MOST_SLICES: usize = 40;
/// As before: a 99th percentile of at most this many times that of before.
const AS_BEFORE: f64 = 2.0;

pub(super) async fn overload(pace: &Pace, work: &Work) -> Result<Vec<Record>> {
    let server = work.serve()?;
    let calls = Calls::new(server.address(), work.request.clone(), CONNECTIONS).await?;
    let capacity = calls.at_a_time(AT_A_TIME, pace.unary).await?;
    let per_second = capacity.per_second();
    let before = calls.at_rate(per_second / 2.0, pace.half_load).await?;
    if before.n_failed > 0 {
        return Err(Error::Unexpected(format!("{} calls at half load failed", before.n_failed)));
    }
    console::note(format!(
        "service: {:.0} times the capacity of {per_second:.0} calls a second for {:?}",
        LOAD, pace.overload
    ));
    let during = calls.at_rate(LOAD * per_second, pace.overload).await?;
    let end = Instant::now();
    let usual = before.latencies.quantile_ms(0.99);
    let mut recovered = None;
    for _ in 0..MOST_SLICES {
        let begin = end.elapsed();
        let after = calls.at_rate(per_second / 2.0, SLICE).await?;
        if after.n_failed == 0 && after.latencies.quantile_ms(0.99) <= AS_BEFORE * usual {
            recovered = Some(begin.as_secs_f64());
            break;
        }
    }
    server.stop()?;
    let recovered = recovered.ok_or_else(|| {
        Error::Unexpected(format!("the server has not recovered {:?} after the overload", end.elapsed()))
    })?;
    let one = |name: &str, unit, value| Record::new(name, unit, Spread::of([value]));
    // No refusal at all would be no overload.
    let hinted = during.n_hinted as f64 / during.n_refused() as f64;
    Ok(vec![
        one("overload_goodput", "x", during.per_second() / per_second).at_least(LEAST_GOODPUT),
        one("overload_refusals_with_a_hint", "x", hinted).at_least(1.0),
        one("overload_recovery_seconds", "s", recovered).at_most(SOON),
    ])
}
