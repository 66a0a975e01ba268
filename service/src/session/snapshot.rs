//! The whole state of a session as bytes, and back: equal states have equal bytes.

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::models::PinnedModel;
use super::series::SeriesState;
use super::settings::Settings;

/// The first byte; a reader refuses what it does not know.
const VERSION: u8 = 1;

#[derive(Serialize)]
struct Written<'a> {
    settings: &'a Settings,
    epoch: u64,
    next: u64,
    series: &'a [SeriesState],
}

#[derive(Deserialize)]
struct Read {
    settings: Settings,
    epoch: u64,
    next: u64,
    series: Vec<SeriesState>,
}

/// The state of a session: a version, then its parts in MessagePack, numbers with all their bits.
///
/// # Errors
/// What the encoder says; none is known.
pub fn encode_state(engine: &Engine) -> Result<Vec<u8>, String> {
    let written = Written {
        settings: &engine.settings,
        epoch: engine.epoch,
        next: engine.next,
        series: &engine.series,
    };
    let mut bytes = vec![VERSION];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    written.serialize(&mut serializer).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The series of a session alone, without its settings and positions: equal series have equal bytes.
///
/// # Errors
/// What the encoder says; none is known.
pub fn encode_series(engine: &Engine) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(&engine.series).map_err(|error| error.to_string())
}

fn read(bytes: &[u8]) -> Result<Read, String> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            rmp_serde::from_slice(rest).map_err(|error| format!("its state cannot be read: {error}"))
        }
        Some((version, _)) => {
            Err(format!("its state has version {version}, but this program reads version {VERSION}"))
        }
        None => Err("its state is empty".to_string()),
    }
}

/// What a stored session was created with, without its model.
///
/// # Errors
/// Why the bytes are no state.
pub fn decode_settings(bytes: &[u8]) -> Result<Settings, String> {
    read(bytes).map(|read| read.settings)
}

/// The session that has this state.
///
/// # Errors
/// Why the bytes are no state, or not of this model.
pub fn decode_state(bytes: &[u8], model: PinnedModel) -> Result<Engine, String> {
    let Read { settings, epoch, next, series } = read(bytes)?;
    let is_sound = series.iter().all(|series| series.is_sound(&model.model, &settings))
        && settings.policies.len() == series.len()
        && settings.coverages.len() == settings.levels.len()
        && next > 0;
    if !is_sound {
        return Err(format!("its state does not fit the model {}", model.revision));
    }
    Ok(Engine::from_parts(settings, model, epoch, next, series))
}
