//! Logs that end anywhere, full disks, clocks that jump, folders that lost a file.

use std::time::Duration;

use longcast::session::{
    Durability, Folder, LogOptions, Medium, MemoryMedium, SessionError, Store, StoreOptions, TimeAction,
    TimePolicy, Writer,
};

use crate::random::Random;
use crate::world::{
    HOUR, OneModel, START, check_same, create, durable, happenings, plain, rows, store, undisturbed, wait,
};

fn quiet() -> StoreOptions {
    let log = LogOptions { sync_interval: Duration::from_secs(3600), ..LogOptions::default() };
    StoreOptions { log, snapshot_every: u64::MAX, ..StoreOptions::default() }
}

/// The bytes of the only segment that has any.
fn bytes(medium: &MemoryMedium) -> (u64, Vec<u8>) {
    let starts = medium.list().unwrap();
    assert_eq!(starts.len(), 1, "{starts:?}");
    (starts[0], medium.read(starts[0]).unwrap())
}

#[test]
fn a_log_torn_at_every_byte_of_its_last_record_loses_that_record_alone() {
    let all = happenings(&mut Random::new(3), 40);
    let settings = plain("torn");
    let medium = MemoryMedium::default();
    let first = store(&medium, quiet());
    let (cell, _) = create(&first, &settings);
    let mut ends = Vec::new();
    for from in [1, 21] {
        let batch = rows(&all, from, 20);
        let applied = cell.apply(Writer::Call(0), batch.view(1, 0).unwrap()).unwrap();
        wait(&cell, applied.position.unwrap());
        ends.push(bytes(&medium).1.len());
    }
    let (start, whole) = bytes(&medium);
    let (half_run, whole_run) = (undisturbed(&settings, &all, 20), undisturbed(&settings, &all, 40));
    for len in ends[0]..=ends[1] {
        let torn = MemoryMedium::default();
        torn.put(start, whole[..len].to_vec());
        let restored = store(&torn, quiet());
        let cell = restored.find(&settings.name).unwrap();
        let (n, expected) = if len == ends[1] { (40, &whole_run) } else { (20, &half_run) };
        cell.look(|engine| check_same(engine, expected, &format!("{len} bytes"))).unwrap();
        assert_eq!(durable(&cell), n);
        // What the client sends again goes after the torn record, and is found at the next start.
        let applied = cell.apply(Writer::Call(0), rows(&all, 1, 40).view(1, 0).unwrap()).unwrap();
        assert_eq!(applied.through, 40);
        restored.close();
        let again = store(&torn, quiet()).find(&settings.name).unwrap();
        again.look(|engine| check_same(engine, &whole_run, "again")).unwrap();
    }
}

#[test]
fn a_full_disk_stops_promises_and_loses_nothing_once_there_is_room() {
    let all = happenings(&mut Random::new(4), 60);
    for durability in [Durability::Sync, Durability::Async] {
        let settings = longcast::session::Settings { durability, ..plain("full") };
        let medium = MemoryMedium::default();
        let store = store(
            &medium,
            StoreOptions {
                log: LogOptions { sync_interval: Duration::from_millis(1), ..quiet().log },
                ..quiet()
            },
        );
        let (cell, position) = create(&store, &settings);
        wait(&cell, position.unwrap());
        let send = |from: u64| cell.apply(Writer::Call(0), rows(&all, from, 20).view(1, 0).unwrap());
        wait(&cell, send(1).unwrap().position.unwrap());
        assert_eq!(durable(&cell), 20);

        medium.limit(Some(100));
        let taken = send(21).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(cell.log().unwrap().synced(taken.position.unwrap())).unwrap_err();
        assert!(matches!(error, SessionError::Storage(_)), "{error}");
        assert_eq!(durable(&cell), 20, "something was promised that is not there");
        let refused = send(41).unwrap_err();
        assert!(matches!(refused, SessionError::Storage(_)), "{refused}");
        // What a crash would leave now is what was promised.
        let crashed = crate::world::store(&medium.after_crash(|n| n), quiet());
        let left = crashed.find(&settings.name).unwrap();
        left.look(|engine| check_same(engine, &undisturbed(&settings, &all, 20), "crashed")).unwrap();

        medium.limit(None);
        let mut state = cell.log().unwrap().state();
        runtime
            .block_on(async { state.wait_for(|state| state.failure.is_none()).await.map(|_| ()) })
            .unwrap();
        wait(&cell, send(41).unwrap().position.unwrap());
        assert_eq!(durable(&cell), 60);
        store.close();
        let again = crate::world::store(&medium, quiet()).find(&settings.name).unwrap();
        again.look(|engine| check_same(engine, &undisturbed(&settings, &all, 60), "again")).unwrap();
    }
}

#[test]
fn a_session_whose_state_is_gone_is_refused_with_the_reason_and_can_be_deleted() {
    let all = happenings(&mut Random::new(5), 40);
    let medium = MemoryMedium::default();
    let small = StoreOptions { log: LogOptions { segment_bytes: 1, ..quiet().log }, ..quiet() };
    let first = store(&medium, small);
    let (lost, position) = create(&first, &plain("lost"));
    wait(&lost, position.unwrap());
    let state = bytes(&medium).0;
    let (kept, position) = create(&first, &plain("kept"));
    wait(&kept, position.unwrap());
    for cell in [&lost, &kept] {
        let applied = cell.apply(Writer::Call(0), rows(&all, 1, 40).view(1, 0).unwrap()).unwrap();
        wait(cell, applied.position.unwrap());
    }
    first.close();
    let mut damaged = medium.clone();
    damaged.remove(state).unwrap();

    let restored = store(&damaged, small);
    let error = restored.find("sessions/lost").unwrap_err();
    assert!(
        matches!(&error, SessionError::Damaged { reason, .. } if reason.contains("its state is not")),
        "{error}"
    );
    let kept = restored.find("sessions/kept").unwrap();
    kept.look(|engine| check_same(engine, &undisturbed(&plain("kept"), &all, 40), "kept")).unwrap();
    restored.keep_house();
    assert!(restored.find("sessions/lost").is_err());
    restored.delete("sessions/lost", "").unwrap();
    restored.close();
    let error = store(&damaged, small).find("sessions/lost").unwrap_err();
    assert!(matches!(error, SessionError::NotFound(_)), "{error}");
}

#[test]
fn a_hole_in_the_observations_is_no_state() {
    let all = happenings(&mut Random::new(6), 60);
    let medium = MemoryMedium::default();
    let small = StoreOptions { log: LogOptions { segment_bytes: 1, ..quiet().log }, ..quiet() };
    let first = store(&medium, small);
    let (cell, position) = create(&first, &plain("hole"));
    wait(&cell, position.unwrap());
    for from in [1, 21, 41] {
        let applied = cell.apply(Writer::Call(0), rows(&all, from, 20).view(1, 0).unwrap()).unwrap();
        wait(&cell, applied.position.unwrap());
    }
    let segments = medium.list().unwrap();
    let mut damaged = medium.after_crash(|n| n);
    damaged.remove(segments[2]).unwrap();
    let error = store(&damaged, small).find("sessions/hole").unwrap_err();
    assert!(error.to_string().contains("observations 21 to 40 are missing"), "{error}");
    // Without the last one, the session stands where the one before left it, and its client sends the rest again.
    let mut shorter = medium.after_crash(|n| n);
    shorter.remove(segments[3]).unwrap();
    let cell = store(&shorter, small).find("sessions/hole").unwrap();
    cell.look(|engine| check_same(engine, &undisturbed(&plain("hole"), &all, 40), "shorter")).unwrap();
}

#[test]
fn a_clock_that_jumps_back_is_refused_or_begins_anew_as_the_policy_says() {
    for (late, n_resets) in [(TimeAction::Reject, 0), (TimeAction::Drop, 0), (TimeAction::Reset, 1)] {
        let policy = TimePolicy { late, ..TimePolicy::default() };
        let settings = longcast::session::Settings { policies: vec![policy; 3], ..plain("jump") };
        let hours: Vec<i64> = (0..50).chain(-30..20).collect();
        let all = longcast::session::Batch {
            first: 1,
            series: vec![1; 100],
            times: hours.iter().map(|hour| START + hour * HOUR).collect(),
            values: hours.iter().map(|hour| 50.0 + (*hour % 4) as f64).collect(),
            covariates: Vec::new(),
        };
        let engine = undisturbed(&settings, &all, 100);
        let series = &engine.series()[1];
        assert_eq!(series.figures().n_resets, n_resets);
        let last = if n_resets == 1 { 19 } else { 49 };
        assert_eq!(series.last_stamp(), Some(START + last * HOUR));
        assert_eq!(series.figures().n_refused, if n_resets == 1 { 0 } else { 50 });
        assert!(engine.forecast(1, None).is_ok());
    }
}

#[test]
fn a_folder_on_disk_keeps_sessions_and_serves_one_server_at_a_time() {
    let folder =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sessions-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let all = happenings(&mut Random::new(7), 40);
    let open = || Store::open(&folder, &OneModel, StoreOptions::default());
    let first = open().unwrap();
    assert_eq!(open().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    let (cell, _) = create(&first, &plain("disk"));
    let applied = cell.apply(Writer::Call(0), rows(&all, 1, 40).view(1, 0).unwrap()).unwrap();
    wait(&cell, applied.position.unwrap());
    drop((cell, first));
    let again = open().unwrap();
    let cell = again.find("sessions/disk").unwrap();
    cell.look(|engine| check_same(engine, &undisturbed(&plain("disk"), &all, 40), "disk")).unwrap();
    assert_eq!(Folder::open(&folder).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop((cell, again));
    std::fs::remove_dir_all(&folder).unwrap();
}
