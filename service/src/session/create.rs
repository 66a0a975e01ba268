//! Sessions that are made.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use forecast::Series;

use super::cell::{Cell, Durability};
use super::engine::Engine;
use super::error::SessionError;
use super::models::PinnedModel;
use super::record::write_state;
use super::settings::Settings;
use super::snapshot::encode_state;
use super::store::{Slot, Store, damaged};

/// A session to be made.
#[derive(Debug)]
pub struct NewSession {
    /// Its settings; an empty name is chosen by the store, as is the uid.
    pub settings: Settings,
    /// Its model.
    pub model: PinnedModel,
    /// Its series, with what happened so far where their start is known.
    pub histories: Vec<(String, Option<Series>)>,
}

impl Store {
    /// Makes a session. Returns it with the position in the log that makes it durable, if it is logged; a session that
    /// the same request made before is returned as it is.
    ///
    /// # Errors
    /// [`SessionError::Exists`], [`SessionError::Quota`], [`SessionError::NoStorage`], [`SessionError::Storage`], and
    /// those of [`Engine::new`].
    pub fn create(&self, new: NewSession) -> Result<(Arc<Cell>, Option<u64>), SessionError> {
        let NewSession { mut settings, model, histories } = new;
        settings.uid = self.last_uid.fetch_add(1, Ordering::Relaxed) + 1;
        if settings.name.is_empty() {
            settings.name = format!("sessions/s{:x}", settings.uid);
        }
        if let Some(same) = self.made_before(&settings)? {
            return Ok((same, None));
        }
        let log = match settings.durability {
            Durability::Memory => None,
            Durability::Async | Durability::Sync => Some(self.log.as_ref().ok_or(SessionError::NoStorage)?),
        };
        self.check_quota("sessions", self.slots().len() as u64 + 1, self.options.limits.max_sessions as u64)?;
        let (name, uid) = (settings.name.clone(), settings.uid);
        let engine = Engine::new(settings, model, &histories)?;
        let state = encode_state(&engine).map_err(SessionError::Internal)?;
        let n_bytes = state.len() as u64;

        let mut slots = self.slots_mut();
        match slots.get(&name) {
            Some(Slot::Live(_)) => {
                drop(slots);
                return match self.made_before(engine.settings())? {
                    Some(same) => Ok((same, None)),
                    None => Err(SessionError::Exists(name)),
                };
            }
            Some(Slot::Lost(lost)) => return Err(damaged(lost)),
            None => {}
        }
        let (n_sessions, total) =
            (slots.len() as u64 + 1, self.state_bytes.load(Ordering::Relaxed) + n_bytes);
        self.check_quota("sessions", n_sessions, self.options.limits.max_sessions as u64)?;
        self.check_quota("bytes of session states", total, self.options.limits.max_state_bytes)?;
        let place = match log {
            Some(log) => Some(log.append(|out| write_state(out, (uid, &name), &state))?),
            None => None,
        };
        let start = place.map_or(0, |(start, _)| start);
        let cell = Arc::new(Cell::new(engine, log.cloned(), (start, n_bytes), self.options.snapshot_every));
        slots.insert(name, Slot::Live(Arc::clone(&cell)));
        self.state_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        Ok((cell, place.map(|(_, end)| end)))
    }

    /// The session that this very request made before, if it did.
    fn made_before(&self, settings: &Settings) -> Result<Option<Arc<Cell>>, SessionError> {
        let cell = match self.slots().get(&settings.name) {
            Some(Slot::Live(cell)) => Arc::clone(cell),
            Some(Slot::Lost(lost)) => return Err(damaged(lost)),
            None => return Ok(None),
        };
        let is_same = !settings.request_id.is_empty()
            && cell.look(|engine| engine.settings().request_id == settings.request_id)?;
        if is_same { Ok(Some(cell)) } else { Err(SessionError::Exists(settings.name.clone())) }
    }

    fn check_quota(&self, subject: &'static str, wanted: u64, limit: u64) -> Result<(), SessionError> {
        if wanted > limit { Err(SessionError::Quota { subject, wanted, limit }) } else { Ok(()) }
    }
}
