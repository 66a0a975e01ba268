//! Making, finding, expiring, moving and counting sessions.

use std::time::Duration;

use longcast::session::{
    Limits, MemoryMedium, NewSession, PinnedModel, SessionError, Settings, Store, StoreOptions, Writer,
    encode_state,
};

use crate::random::Random;
use crate::world::{check_same, create, happenings, histories, model, plain, rows, store, undisturbed, wait};

fn make(store: &Store, settings: Settings) -> Result<(), SessionError> {
    store.create(NewSession { settings, model: model(), histories: histories() }).map(|_| ())
}

#[test]
fn a_name_is_taken_once_except_by_the_same_request() {
    let store = Store::in_memory(StoreOptions::default());
    let settings = Settings { durability: longcast::session::Durability::Memory, ..plain("a") };
    let asked = |id: &str| Settings { request_id: id.to_string(), ..settings.clone() };
    make(&store, asked("r1")).unwrap();
    make(&store, asked("r1")).unwrap();
    for other in ["r2", ""] {
        assert!(matches!(make(&store, asked(other)), Err(SessionError::Exists(_))), "{other}");
    }
    assert!(matches!(make(&store, plain("b")), Err(SessionError::NoStorage)));
    let unnamed = Settings { name: String::new(), ..settings.clone() };
    make(&store, unnamed.clone()).unwrap();
    make(&store, unnamed).unwrap();
    assert_eq!(store.size().0, 3);
}

#[test]
fn quotas_hold_and_what_is_deleted_makes_room() {
    let one =
        encode_state(&undisturbed(&plain("a"), &happenings(&mut Random::new(1), 1), 0)).unwrap().len() as u64;
    let limits = |limits: Limits| StoreOptions { limits, ..StoreOptions::default() };
    let medium = MemoryMedium::default();
    let few = store(&medium, limits(Limits { max_sessions: 2, ..Limits::default() }));
    make(&few, plain("a")).unwrap();
    make(&few, plain("b")).unwrap();
    let error = make(&few, plain("c")).unwrap_err();
    assert!(matches!(error, SessionError::Quota { wanted: 3, limit: 2, .. }), "{error}");
    few.delete("sessions/a", "").unwrap();
    make(&few, plain("c")).unwrap();

    let small =
        store(&MemoryMedium::default(), limits(Limits { max_state_bytes: 5 * one / 2, ..Limits::default() }));
    make(&small, plain("a")).unwrap();
    make(&small, plain("b")).unwrap();
    assert!(matches!(make(&small, plain("c")), Err(SessionError::Quota { .. })));
    small.delete("sessions/b", "").unwrap();
    make(&small, plain("c")).unwrap();
}

#[test]
fn an_etag_guards_against_deleting_another_session() {
    let store = store(&MemoryMedium::default(), StoreOptions::default());
    let (cell, _) = create(&store, &plain("a"));
    let etag = cell.etag().unwrap();
    cell.attach(7).unwrap();
    assert!(matches!(store.delete("sessions/a", &etag), Err(SessionError::Etag { .. })));
    store.delete("sessions/a", &cell.look(|_| ()).and_then(|()| cell.etag()).unwrap()).unwrap();
    assert!(matches!(cell.forecast(0, None), Err(SessionError::NotFound(_))));
    let (again, _) = create(&store, &plain("a"));
    assert_ne!(again.etag().unwrap(), etag);
}

#[test]
fn an_idle_session_expires_and_one_in_use_does_not() {
    let store = store(&MemoryMedium::default(), StoreOptions::default());
    for name in ["idle", "written", "watched"] {
        create(&store, &Settings { idle_ttl_ms: 30, ..plain(name) });
    }
    let attachment = store.find("sessions/written").unwrap().attach(0).unwrap();
    let watcher = store.find("sessions/watched").unwrap().watch(1).unwrap();
    assert!(store.find("sessions/watched").unwrap().watch(1).is_none());
    std::thread::sleep(Duration::from_millis(60));
    store.keep_house();
    let names: Vec<String> = store.list("", "", 10).iter().map(|cell| cell.name().to_string()).collect();
    assert_eq!(names, ["sessions/watched", "sessions/written"]);
    store.find("sessions/written").unwrap().detach(attachment);
    drop(watcher);
    std::thread::sleep(Duration::from_millis(60));
    store.keep_house();
    assert_eq!(store.size(), (0, 0));
}

#[test]
fn sessions_are_listed_page_by_page() {
    let store = store(&MemoryMedium::default(), StoreOptions::default());
    for name in ["b", "a", "d", "c"] {
        create(&store, &plain(name));
    }
    let names = |after: &str, filter: &str, n: usize| -> Vec<String> {
        store.list(after, filter, n).iter().map(|cell| cell.name().to_string()).collect()
    };
    assert_eq!(names("", "", 3), ["sessions/a", "sessions/b", "sessions/c"]);
    assert_eq!(names("sessions/b", "", 3), ["sessions/c", "sessions/d"]);
    assert_eq!(names("", "/d", 3), ["sessions/d"]);
}

#[test]
fn old_segments_go_and_take_no_session_with_them() {
    use longcast::session::{LogOptions, Medium};
    let all = happenings(&mut Random::new(9), 100);
    let medium = MemoryMedium::default();
    let options = StoreOptions {
        log: LogOptions { segment_bytes: 2000, sync_interval: Duration::ZERO },
        snapshot_every: 10,
        ..StoreOptions::default()
    };
    let store = store(&medium, options);
    let (cell, _) = create(&store, &plain("a"));
    let mut longest = 0;
    for round in 0..20 {
        for from in (1..=100).step_by(10) {
            // The same session again and again, under other sequence numbers.
            let mut batch = rows(&all, from, 10);
            batch.first += round * 100;
            batch.times.iter_mut().for_each(|time| *time += round as i64 * 1000 * crate::world::HOUR);
            let applied = cell.apply(Writer::Call(0), batch.view(1, 0).unwrap()).unwrap();
            wait(&cell, applied.position.unwrap());
        }
        store.keep_house();
        store.keep_house();
        longest = longest.max(medium.list().unwrap().len());
    }
    store.close();
    let first = medium.list().unwrap()[0];
    assert!(first > 0, "the first segment is still there");
    let again = crate::world::store(&medium, options).find("sessions/a").unwrap();
    let expected = cell.look(Clone::clone).unwrap();
    again.look(|engine| check_same(engine, &expected, "after retiring")).unwrap();
}

#[test]
fn a_session_moves_to_another_model_with_its_last_steps() {
    let store = store(&MemoryMedium::default(), StoreOptions::default());
    let (cell, _) = create(&store, &plain("a"));
    let all = happenings(&mut Random::new(11), 100);
    cell.apply(Writer::Call(0), rows(&all, 1, 100).view(1, 0).unwrap()).unwrap();
    let before = cell.look(Clone::clone).unwrap();
    let other = PinnedModel { revision: "models/m/revisions/other".to_string(), ..model() };
    assert_eq!((store.n_on_revision(&model().revision), store.migrate("models/x", &other)), (1, 0));
    assert_eq!(store.migrate(&model().revision, &other), 1);
    assert_eq!((store.n_on_revision(&model().revision), store.n_on_revision(&other.revision)), (0, 1));
    cell.look(|engine| {
        assert_eq!(engine.settings().revision, other.revision);
        assert_eq!(engine.next_sequence(), 101);
        for (at, (new, old)) in engine.series().iter().zip(before.series()).enumerate() {
            assert_eq!((new.last_stamp(), new.figures()), (old.last_stamp(), old.figures()));
            let mean =
                |engine: &longcast::session::Engine| engine.forecast(at, None).ok().map(|m| m.forecast.mean);
            let (Some(new), Some(old)) = (mean(engine), mean(&before)) else { continue };
            assert!(new.iter().zip(&old).all(|(new, old)| (new - old).abs() < 1e-6), "{new} {old}");
        }
    })
    .unwrap();
}
