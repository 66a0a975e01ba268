//! A session as a message.

use forecast_proto::v1;
use tonic::Status;

use super::session_convert::duration;
use super::session_policy::policy_message;
use crate::session::{Cell, Durability, Emission, Engine, SeriesState, Settings, SlowReader};

/// A session as a message.
///
/// # Errors
/// `NOT_FOUND` once it is gone.
pub(super) fn session(cell: &Cell, with_figures: bool) -> Result<v1::Session, Status> {
    let synced = cell.log().map_or(0, |log| log.safe());
    let durable_through = cell.durable_through(synced);
    let (etag, time_left) = (cell.etag()?, cell.time_left());
    let (is_attached, n_watchers, state_bytes) = (cell.is_attached(), cell.n_watchers(), cell.state_bytes());
    let session = cell.look(|engine| {
        let settings = engine.settings();
        let next = engine.next_sequence();
        v1::Session {
            name: settings.name.clone(),
            model_revision: engine.model().revision.clone(),
            series_ids: engine.series().iter().map(|series| series.id().to_string()).collect(),
            spec: Some(spec(settings)),
            emit: Some(emit(settings)),
            durability: durability(settings.durability).into(),
            idle_ttl: Some(duration(settings.idle_ttl_ms)),
            applied_through: next - 1,
            durable_through,
            state_bytes: i64::try_from(state_bytes).unwrap_or(i64::MAX),
            create_time: Some(timestamp(settings.created)),
            expire_time: time_left
                .map(|left| std::time::SystemTime::now().checked_add(left))
                .map_or(None, |time| time.map(prost_types::Timestamp::from)),
            etag,
            epoch: engine.epoch(),
            time_policy: settings.policies.first().map(policy_message),
            series_time_policies: own_policies(settings),
            interval_method: match settings.adaptive {
                true => v1::IntervalMethod::Adaptive.into(),
                false => v1::IntervalMethod::Calibrated.into(),
            },
            fallback: settings.fallback.map(|fallback| v1::FallbackPolicy {
                mase_limit: fallback.mase_limit,
                min_observations: u32::try_from(fallback.min_observations).unwrap_or(u32::MAX),
            }),
            figures: if with_figures { figures(engine) } else { Vec::new() },
            next_sequence: next,
            attached: is_attached,
            watcher_count: i32::try_from(n_watchers).unwrap_or(i32::MAX),
            channels: engine.model().model.header().channels.clone(),
        }
    });
    Ok(session?)
}

/// The policies of series that differ from that of the first one.
fn own_policies(settings: &Settings) -> Vec<v1::SeriesTimePolicy> {
    let Some(first) = settings.policies.first() else { return Vec::new() };
    let others = settings.policies.iter().enumerate().filter(|(_, policy)| *policy != first);
    others
        .map(|(at, policy)| v1::SeriesTimePolicy {
            series_index: u32::try_from(at).unwrap_or(u32::MAX),
            policy: Some(policy_message(policy)),
        })
        .collect()
}

fn figures(engine: &Engine) -> Vec<v1::SeriesFigures> {
    let of_series = |series: &SeriesState| {
        let figures = series.figures();
        let coverages = figures.coverages().iter().zip(&engine.settings().coverages);
        v1::SeriesFigures {
            series_id: series.id().to_string(),
            observation_count: figures.n_taken,
            missing_count: figures.n_missing,
            refused_count: figures.n_refused,
            reset_count: figures.n_resets,
            scored_count: figures.n_scored,
            mae: figures.mae(),
            mase: figures.mase(),
            coverages: coverages
                .map(|(coverage, nominal)| v1::CoverageFigure {
                    nominal: *nominal,
                    measured: coverage.measured(),
                    judged_count: coverage.n_judged,
                })
                .collect(),
            fallback: series.fallback().since.is_some(),
            fallback_count: series.fallback().n_times,
            last_time_unix_nano: series.last_stamp(),
        }
    };
    engine.series().iter().map(of_series).collect()
}

fn spec(settings: &Settings) -> v1::ForecastSpec {
    v1::ForecastSpec {
        horizon: i32::try_from(settings.horizon).unwrap_or(i32::MAX),
        quantile_levels: settings.quantiles.clone(),
        interval_coverages: settings.coverages.clone(),
        interval_band: match settings.whole_path {
            true => v1::IntervalBand::WholePath.into(),
            false => v1::IntervalBand::EachStep.into(),
        },
    }
}

fn emit(settings: &Settings) -> v1::EmitPolicy {
    use v1::emit_policy::When;
    v1::EmitPolicy {
        when: Some(match settings.emission {
            Emission::Every(n) => When::EveryObservations(n),
            Emission::Interval(millis) => When::EveryInterval(duration(millis)),
            Emission::OnRequest => When::OnRequest(true),
        }),
        slow_consumer: match settings.slow_reader {
            SlowReader::Conflate => v1::SlowConsumer::Conflate.into(),
            SlowReader::Block => v1::SlowConsumer::Block.into(),
            SlowReader::Disconnect => v1::SlowConsumer::Disconnect.into(),
        },
    }
}

fn durability(durability: Durability) -> v1::Durability {
    match durability {
        Durability::Memory => v1::Durability::Memory,
        Durability::Async => v1::Durability::Async,
        Durability::Sync => v1::Durability::Sync,
    }
}

fn timestamp(nanos: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: nanos.div_euclid(1_000_000_000),
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
    }
}
