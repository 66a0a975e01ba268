//! From a request to a session that can be made.

use std::time::SystemTime;

use forecast::{Series, TimeIndex};
use forecast_proto::v1;
use ndarray::Array2;
use tonic::Status;
use tonic_types::FieldViolation;

use super::convert::{history, index, options};
use super::session_convert::{check, millis};
use super::session_policy::policy;
use super::status::from_error;
use crate::operation::Limits as CallLimits;
use crate::session::{
    Durability, Emission, Fallback, Limits, NewSession, PinnedModel, SessionError, Settings, SlowReader,
};

/// The idle time of sessions that say none: a day.
const IDLE_TTL_MS: u64 = 86_400_000;
/// The shortest time between two forecasts that are due by time.
const SHORTEST_INTERVAL_MS: u64 = 10;
/// Scored observations before a series is judged, where nothing is said.
const MIN_OBSERVATIONS: u32 = 32;
/// Forecasts of models that read a window again are judged at every so many observations.
const REREAD_SCORED_EVERY: u64 = 64;

/// The session that a request asks for, checked against its model and the limits; `has_storage` says whether sessions
/// can outlive the process.
///
/// # Errors
/// `INVALID_ARGUMENT` with every field that breaks a rule, and those of the library for what the model refuses.
pub(super) fn new_session(
    request: v1::CreateSessionRequest,
    model: PinnedModel,
    (limits, call_limits): (&Limits, &CallLimits),
    has_storage: bool,
) -> Result<NewSession, Status> {
    let asked = options(request.spec.as_ref(), call_limits)?;
    let spec = request.spec.clone().unwrap_or_default();
    asked.check(&model.model).map_err(|error| from_error(&error, "session"))?;
    if !model.model.updates_online() && !request.allow_window_reread {
        let hindrance = model.model.hinders_online_updates();
        return Err(SessionError::NotStreamable { revision: model.revision, hindrance }.into());
    }
    let mut violations = Vec::new();
    let name = name(&request.session_id, &mut violations);
    if request.request_id.chars().count() > 128 {
        violations.push(FieldViolation::new("request_id", "it must have at most 128 characters"));
    }
    let n_series = request.history.len();
    if n_series == 0 || n_series > limits.max_series {
        let rule = format!("it has {n_series} series, but must have 1 to {}", limits.max_series);
        violations.push(FieldViolation::new("history", rule));
    }
    let adaptive = request.interval_method == i32::from(v1::IntervalMethod::Adaptive);
    let whole_path = asked.band == forecast::Band::WholePath;
    if v1::IntervalMethod::try_from(request.interval_method).is_err() {
        violations.push(FieldViolation::new("interval_method", "it is no method"));
    }
    if adaptive && (asked.levels.is_empty() || !asked.quantiles.is_empty() || whole_path) {
        let rule = "adaptive intervals need spec.interval_coverages, and take no spec.quantile_levels and no band of \
                    the whole path";
        violations.push(FieldViolation::new("interval_method", rule));
    }
    let (emission, slow_reader) = emission(request.emit.as_ref(), &mut violations);
    let durability = durability(request.durability, has_storage, &mut violations);
    let idle_ttl_ms = idle_ttl(request.idle_ttl.as_ref(), limits, &mut violations);
    let fallback = fallback(request.fallback.as_ref(), &mut violations);
    let policies = policies(&request, model.model.lookback(), &mut violations);
    check(violations)?;
    let histories = histories(request.history, &model, call_limits.horizon)?;
    let settings = Settings {
        name,
        uid: 0,
        revision: model.revision.clone(),
        horizon: asked.horizon,
        levels: asked.levels,
        coverages: spec.interval_coverages,
        quantiles: asked.quantiles,
        whole_path,
        adaptive,
        emission,
        slow_reader,
        durability,
        idle_ttl_ms,
        policies,
        fallback,
        scored_every: if model.model.updates_online() { 1 } else { REREAD_SCORED_EVERY },
        request_id: request.request_id,
        created: now(),
    };
    Ok(NewSession { settings, model, histories })
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The name of a session by its id; empty for the server to choose.
fn name(id: &str, violations: &mut Vec<FieldViolation>) -> String {
    let is_first = |c: char| c.is_ascii_alphanumeric();
    let is_fine = id.len() <= 63
        && id.chars().all(|c| is_first(c) || matches!(c, '-' | '_' | '.'))
        && id.starts_with(is_first);
    match id {
        "" => String::new(),
        id if is_fine => format!("sessions/{id}"),
        id => {
            let rule = format!(
                "it is \"{}\", but must be 1 to 63 characters out of a-z, A-Z, 0-9, `-`, `_` and `.`, the first a letter \
                 or digit",
                id.chars().take(70).collect::<String>()
            );
            violations.push(FieldViolation::new("session_id", rule));
            String::new()
        }
    }
}

fn emission(
    message: Option<&v1::EmitPolicy>,
    violations: &mut Vec<FieldViolation>,
) -> (Emission, SlowReader) {
    use v1::emit_policy::When;
    let mut bad = |field: &str, rule: String| violations.push(FieldViolation::new(field, rule));
    let Some(message) = message else { return (Emission::Every(1), SlowReader::Conflate) };
    let emission = match &message.when {
        None => Emission::Every(1),
        Some(When::EveryObservations(0)) => {
            bad("emit.every_observations", "it is 0, but must be at least 1".to_string());
            Emission::Every(1)
        }
        Some(When::EveryObservations(n)) => Emission::Every(*n),
        Some(When::EveryInterval(interval)) => match millis(interval, "emit.every_interval") {
            Ok(millis) if millis >= SHORTEST_INTERVAL_MS => Emission::Interval(millis),
            Ok(millis) => {
                let rule = format!("it is {millis} ms, but must be at least {SHORTEST_INTERVAL_MS} ms");
                bad("emit.every_interval", rule);
                Emission::OnRequest
            }
            Err(violation) => {
                violations.push(violation);
                Emission::OnRequest
            }
        },
        Some(When::OnRequest(true)) => Emission::OnRequest,
        Some(When::OnRequest(false)) => {
            bad("emit.on_request", "it is false; set it to true, or say when forecasts are due".to_string());
            Emission::OnRequest
        }
    };
    let slow_reader = match v1::SlowConsumer::try_from(message.slow_consumer) {
        Ok(v1::SlowConsumer::Unspecified | v1::SlowConsumer::Conflate) => SlowReader::Conflate,
        Ok(v1::SlowConsumer::Block) => SlowReader::Block,
        Ok(v1::SlowConsumer::Disconnect) => SlowReader::Disconnect,
        Err(_) => {
            let rule = format!("{} is no policy", message.slow_consumer);
            violations.push(FieldViolation::new("emit.slow_consumer", rule));
            SlowReader::Conflate
        }
    };
    (emission, slow_reader)
}

fn durability(value: i32, has_storage: bool, violations: &mut Vec<FieldViolation>) -> Durability {
    match v1::Durability::try_from(value) {
        Ok(v1::Durability::Unspecified) if has_storage => Durability::Async,
        Ok(v1::Durability::Unspecified | v1::Durability::Memory) => Durability::Memory,
        Ok(v1::Durability::Async) => Durability::Async,
        Ok(v1::Durability::Sync) => Durability::Sync,
        Err(_) => {
            violations.push(FieldViolation::new("durability", format!("{value} is no durability")));
            Durability::Memory
        }
    }
}

fn idle_ttl(
    message: Option<&prost_types::Duration>,
    limits: &Limits,
    violations: &mut Vec<FieldViolation>,
) -> u64 {
    let most = u64::try_from(limits.max_idle_ttl.as_millis()).unwrap_or(u64::MAX);
    let Some(message) = message else { return IDLE_TTL_MS.min(most) };
    match millis(message, "idle_ttl") {
        Ok(millis) if (1000..=most).contains(&millis) => return millis,
        Ok(millis) => {
            let rule = format!("it is {millis} ms, but must lie between 1000 ms and {most} ms");
            violations.push(FieldViolation::new("idle_ttl", rule));
        }
        Err(violation) => violations.push(violation),
    }
    IDLE_TTL_MS
}

fn fallback(message: Option<&v1::FallbackPolicy>, violations: &mut Vec<FieldViolation>) -> Option<Fallback> {
    let message = message?;
    if !(message.mase_limit >= 0.1 && message.mase_limit.is_finite()) {
        let rule = format!("it is {}, but must be at least 0.1", message.mase_limit);
        violations.push(FieldViolation::new("fallback.mase_limit", rule));
    }
    if message.min_observations > 1_000_000 {
        let rule = format!("it is {}, but must be at most 1000000", message.min_observations);
        violations.push(FieldViolation::new("fallback.min_observations", rule));
    }
    let min_observations = match message.min_observations {
        0 => MIN_OBSERVATIONS,
        n => n,
    };
    Some(Fallback { mase_limit: message.mase_limit, min_observations: min_observations.into() })
}

/// One policy for each series.
fn policies(
    request: &v1::CreateSessionRequest,
    lookback: usize,
    violations: &mut Vec<FieldViolation>,
) -> Vec<crate::session::TimePolicy> {
    let unset = v1::TimePolicy::default();
    let common = policy(request.time_policy.as_ref().unwrap_or(&unset), "time_policy", lookback, violations);
    let mut policies = vec![common; request.history.len()];
    for (i, own) in request.series_time_policies.iter().enumerate().take(policies.len()) {
        let path = format!("series_time_policies[{i}]");
        let own_policy =
            policy(own.policy.as_ref().unwrap_or(&unset), &format!("{path}.policy"), lookback, violations);
        match policies.get_mut(own.series_index as usize) {
            Some(place) => *place = own_policy,
            None => {
                let rule =
                    format!("it is {}, but there are {} series", own.series_index, request.history.len());
                violations.push(FieldViolation::new(format!("{path}.series_index"), rule));
            }
        }
    }
    if request.series_time_policies.len() > policies.len() {
        let rule = "there are more policies than series".to_string();
        violations.push(FieldViolation::new("series_time_policies", rule));
    }
    policies
}

/// The series with what happened so far: none where the first observation brings the start.
fn histories(
    messages: Vec<v1::Series>,
    model: &PinnedModel,
    most_ahead: usize,
) -> Result<Vec<(String, Option<Series>)>, Status> {
    let header = model.model.header();
    let mut ids = std::collections::HashSet::new();
    let mut histories = Vec::with_capacity(messages.len());
    for (i, message) in messages.into_iter().enumerate() {
        let path = format!("history[{i}]");
        let id = message.series_id.clone();
        if !ids.insert(id.clone()) {
            let rule = format!("\"{id}\" stands there twice; the ids of a session must all be different");
            return check(vec![FieldViolation::new(format!("{path}.series_id"), rule)]).map(|()| histories);
        }
        let history = match (message.values.is_empty(), &message.axis) {
            (true, None) => {
                let empty = TimeIndex::new(0, header.step, header.zone.clone(), 0);
                // Is there anything known of such a series? Its index is thrown away again.
                let series = empty_series(&id, empty, &header.channels)?;
                model.model.start(&series).map_err(|error| from_error(&error, &path)).map(|_| None)?
            }
            (true, axis) => {
                let index = index(axis.as_ref(), &path, 0, &header.frequency());
                let index = index.map_err(|violation| super::status::invalid(vec![violation], &id))?;
                Some(empty_series(&id, index, &header.channels)?)
            }
            (false, _) => Some(history(message, &path, &model.model, most_ahead)?),
        };
        histories.push((id, history));
    }
    Ok(histories)
}

fn empty_series(id: &str, index: TimeIndex, channels: &[String]) -> Result<Series, Status> {
    let empty = Array2::zeros((0, channels.len()));
    Series::new(id, index, empty, channels).map_err(|error| from_error(&error, "history"))
}
