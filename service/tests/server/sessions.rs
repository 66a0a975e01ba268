//! Sessions through a real client: answers, errors, take-overs, readers of any speed.

use std::sync::atomic::{AtomicUsize, Ordering};

use forecast_proto::v1;
use forecast_proto::v1::stream_session_request::Payload as Ask;
use forecast_proto::v1::stream_session_response::Payload;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::exchange::{Running, check_equal, hourly_model, in_time, series};
use crate::run::{Folder, bits, wave};
use crate::session_client::{HOUR, NEXT, Sessions, Stream, hours, new_session, reason, result};

/// A server with sessions in a folder that goes away with it.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) running: Running,
    _folder: Folder,
}

/// A server with sessions on disk, and a client.
pub(crate) async fn serve() -> (Serving, Sessions) {
    static N_FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let folder = Folder::new(&format!("sessions-{}", N_FOLDERS.fetch_add(1, Ordering::Relaxed)));
    let data = folder.path().display().to_string();
    let running = Running::with(&[("load", &hourly_model())], &[("server.data", &data)]).await;
    let sessions = Sessions::new(running.channel().await);
    (Serving { running, _folder: folder }, sessions)
}

async fn create(sessions: &mut Sessions, request: v1::CreateSessionRequest) -> Result<v1::Session, Status> {
    Ok(in_time(sessions.create_session(request)).await?.into_inner().session.unwrap())
}

/// What the library says after so many hours.
fn expected(n: usize, coverages: &[f64]) -> forecast::Forecast {
    let model = hourly_model();
    let mut state = model.start(&series("load", wave(48, 1))).unwrap();
    for value in &wave(48 + n, 1)[48..] {
        model.observe(&mut state, &[*value]).unwrap();
    }
    let levels = coverages.iter().map(|coverage| coverage * 100.0).collect();
    let options = forecast::ForecastOptions { horizon: 24, levels, ..Default::default() };
    model.forecast_from(&state, &options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_forecasts_what_the_library_does_and_goes_on_after_a_reconnect() {
    let (_running, mut sessions) = serve().await;
    let mut request = new_session("s");
    request.spec.as_mut().unwrap().interval_coverages = vec![0.9, 0.8];
    let made = create(&mut sessions, request).await.unwrap();
    assert_eq!(
        (made.name.as_str(), made.next_sequence, made.durability()),
        ("sessions/s", 1, v1::Durability::Async)
    );
    let (mut stream, opened) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    assert_eq!((opened.next_sequence, opened.epoch), (1, 1));
    stream.observe(hours(1, 10)).await;
    stream.observe(hours(6, 10)).await;
    let (_, ack) = stream.until_applied(15).await.unwrap();
    assert_eq!(ack.applied_through, 15);
    drop(stream);

    let (mut stream, opened) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    assert_eq!((opened.next_sequence, opened.epoch), (16, 2));
    stream.observe(hours(16, 5)).await;
    stream.ask(Ask::RequestForecast(v1::RequestForecast::default())).await;
    let (mut update, mut n) = (None, 0);
    while update.is_none() {
        n += 1;
        match stream.next().await.unwrap().unwrap() {
            Payload::Update(got) => update = Some(got),
            Payload::Ack(_) => assert!(n < 10),
            other => panic!("{other:?}"),
        }
    }
    let update = update.unwrap();
    assert_eq!((update.as_of_sequence, update.conflated_count, update.fallback), (20, 0, None));
    assert!(update.surprise.unwrap() >= 0.0);
    check_equal(result(&update), &expected(20, &[0.9, 0.8]));
    // Whoever ends a stream learns that everything is safe.
    stream.close();
    let (rest, status) = stream.rest().await;
    assert!(status.is_none(), "{status:?}");
    let Some(Payload::Ack(last)) = rest.last() else { panic!("{rest:?}") };
    assert_eq!((last.applied_through, last.durable_through), (20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_acknowledges_what_is_on_disk_and_memory_promises_nothing() {
    let (_running, mut sessions) = serve().await;
    for (durability, durable) in
        [(v1::Durability::Sync, 10), (v1::Durability::Async, 10), (v1::Durability::Memory, 0)]
    {
        let id = durability.as_str_name();
        let request = v1::CreateSessionRequest { durability: durability.into(), ..new_session(id) };
        create(&mut sessions, request).await.unwrap();
        let (mut stream, _) = Stream::open(&mut sessions, &format!("sessions/{id}"), 0).await.unwrap();
        stream.observe(hours(1, 10)).await;
        let (_, ack) = stream.until_applied(10).await.unwrap();
        if durability == v1::Durability::Sync {
            assert_eq!(ack.durable_through, 10);
        }
        stream.ask(Ask::Flush(v1::Flush {})).await;
        if durability == v1::Durability::Memory {
            let (_, ack) = stream.until_applied(10).await.unwrap();
            assert_eq!(ack.durable_through, 0);
        } else if ack.durable_through < durable {
            stream.until(|ack| ack.durable_through == durable).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_ends_the_stream_with_what_is_expected_and_a_repetition_does_not() {
    let (_running, mut sessions) = serve().await;
    create(&mut sessions, new_session("s")).await.unwrap();
    let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    stream.observe(hours(1, 5)).await;
    stream.observe(hours(1, 5)).await;
    stream.until_applied(5).await.unwrap();
    stream.observe(hours(8, 5)).await;
    let status = stream.failure().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::OutOfRange, "SEQUENCE_GAP"));
    let details = status.get_error_details();
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["expected"].as_str(), metadata["got"].as_str()), ("6", "8"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_epoch_takes_over_and_an_older_one_is_refused() {
    let (_running, mut sessions) = serve().await;
    create(&mut sessions, new_session("s")).await.unwrap();
    let (mut old, _) = Stream::open(&mut sessions, "sessions/s", 5).await.unwrap();
    old.observe(hours(1, 5)).await;
    old.until_applied(5).await.unwrap();
    let (mut new, opened) = Stream::open(&mut sessions, "sessions/s", 6).await.unwrap();
    assert_eq!((opened.next_sequence, opened.epoch), (6, 6));
    let status = old.failure().await;
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "SESSION_FENCED"));
    let status = Stream::open(&mut sessions, "sessions/s", 5).await.unwrap_err();
    assert_eq!(reason(&status), "SESSION_FENCED");
    new.observe(hours(6, 5)).await;
    new.until_applied(10).await.unwrap();
    // The same epoch again is the same writer on a new connection.
    let (_again, opened) = Stream::open(&mut sessions, "sessions/s", 6).await.unwrap();
    assert_eq!(opened.next_sequence, 11);
    assert_eq!(reason(&new.failure().await), "SESSION_FENCED");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_observations_are_told_and_disturb_no_other() {
    let (_running, mut sessions) = serve().await;
    create(&mut sessions, new_session("s")).await.unwrap();
    let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    let mut batch = hours(1, 7);
    batch.series_index = vec![0, 0, 0, 0, 0, 4, 0];
    // Next, late twice, a duplicate, infinite, unknown, two steps left out.
    batch.time_unix_nano = [0, -5, -3, 0, 1, 1, 3].iter().map(|hour| NEXT + hour * HOUR).collect();
    batch.values[4] = f64::INFINITY;
    stream.observe(batch).await;
    let (told, _) = stream.until_applied(7).await.unwrap();
    let told: Vec<_> = told
        .into_iter()
        .map(|payload| match payload {
            Payload::ObservationError(error) => {
                let status = error.status.clone().unwrap();
                let status = Status::with_details(
                    Code::from(status.code),
                    status.message.clone(),
                    prost::Message::encode_to_vec(&status).into(),
                );
                (error.sequence, reason(&status), error.action(), error.count)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    use v1::TimeAction::{Impute, Reject};
    let expected = [
        (2, "OBSERVATION_LATE", Reject, 2),
        (4, "OBSERVATION_DUPLICATE", Reject, 1),
        (5, "VALUE_INFINITE", Reject, 1),
        (6, "SERIES_INDEX_INVALID", Reject, 1),
        (7, "OBSERVATION_GAP", Impute, 1),
    ];
    let expected: Vec<_> = expected.iter().map(|(s, r, a, n)| (*s, (*r).to_string(), *a, *n)).collect();
    assert_eq!(told, expected);
    let request = v1::GetSessionRequest { name: "sessions/s".to_string(), include_figures: true };
    let session = in_time(sessions.get_session(request)).await.unwrap().into_inner().session.unwrap();
    let figures = &session.figures[0];
    assert_eq!((figures.observation_count, figures.missing_count, figures.refused_count), (4, 2, 4));
    assert_eq!((session.attached, session.next_sequence, session.expire_time), (true, 8, None));
    assert!(figures.mae.unwrap() >= 0.0 && figures.scored_count == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_watchers_do_what_a_stream_does() {
    let (_running, mut sessions) = serve().await;
    let emit = v1::EmitPolicy {
        when: Some(v1::emit_policy::When::EveryObservations(5)),
        ..v1::EmitPolicy::default()
    };
    create(&mut sessions, v1::CreateSessionRequest { emit: Some(emit), ..new_session("s") }).await.unwrap();
    let watch = v1::WatchSessionRequest {
        session: "sessions/s".to_string(),
        send_current: true,
        ..Default::default()
    };
    let mut watched = in_time(sessions.watch_session(watch)).await.unwrap().into_inner();
    let mut next = async || match in_time(watched.message()).await.unwrap().unwrap().payload.unwrap() {
        v1::watch_session_response::Payload::Update(update) => update,
        other => panic!("{other:?}"),
    };
    check_equal(result(&next().await), &expected(0, &[]));
    let observe = |first: u64, n: usize, epoch: u64| v1::ObserveRequest {
        session: "sessions/s".to_string(),
        epoch,
        observations: Some(hours(first, n)),
        return_forecast: true,
    };
    let answer = in_time(sessions.observe(observe(1, 10, 0))).await.unwrap().into_inner();
    assert_eq!(answer.ack.unwrap().applied_through, 10);
    check_equal(result(&answer.updates[0]), &expected(10, &[]));
    // Two were due since the reader has seen one.
    let update = next().await;
    assert_eq!((update.as_of_sequence, update.conflated_count), (10, 1));
    check_equal(result(&update), &expected(10, &[]));

    let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    let status = in_time(sessions.observe(observe(11, 1, 0))).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "SESSION_ATTACHED"));
    in_time(sessions.observe(observe(11, 5, 9))).await.unwrap();
    assert_eq!(reason(&stream.failure().await), "SESSION_FENCED");
    assert_eq!(next().await.as_of_sequence, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_is_conflated_blocked_or_sent_away() {
    let (_running, mut sessions) = serve().await;
    for (policy, id) in [
        (v1::SlowConsumer::Conflate, "conflate"),
        (v1::SlowConsumer::Block, "block"),
        (v1::SlowConsumer::Disconnect, "disconnect"),
    ] {
        let mut request = new_session(id);
        // An answer fills the windows of a connection soon.
        request.spec.as_mut().unwrap().horizon = 10_000;
        request.emit = Some(v1::EmitPolicy {
            when: Some(v1::emit_policy::When::EveryObservations(1)),
            slow_consumer: policy.into(),
        });
        create(&mut sessions, request).await.unwrap();
        let (mut stream, _) = Stream::open(&mut sessions, &format!("sessions/{id}"), 0).await.unwrap();
        for first in (1..=200).step_by(20) {
            stream.observe(hours(first, 20)).await;
        }
        // Nothing is read until the session has done what it does without a reader.
        let is_done = |session: &v1::Session| match policy {
            v1::SlowConsumer::Conflate => session.next_sequence == 201,
            v1::SlowConsumer::Block => session.next_sequence > 20,
            _ => !session.attached,
        };
        in_time(async {
            let name = format!("sessions/{id}");
            let get = v1::GetSessionRequest { name, include_figures: false };
            while !is_done(&sessions.get_session(get.clone()).await.unwrap().into_inner().session.unwrap()) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })
        .await;
        stream.close();
        let (rest, status) = stream.rest().await;
        let updates: Vec<_> = rest
            .iter()
            .filter_map(|payload| match payload {
                Payload::Update(update) => Some((update.as_of_sequence, update.conflated_count)),
                _ => None,
            })
            .collect();
        let n_conflated: u64 = updates.iter().map(|(_, conflated)| conflated).sum();
        match policy {
            v1::SlowConsumer::Conflate => {
                assert!(status.is_none(), "{status:?}");
                assert!(updates.len() < 200 && updates.last().unwrap().0 == 200, "{}", updates.len());
                assert_eq!(updates.len() as u64 + n_conflated, 200);
            }
            v1::SlowConsumer::Block => {
                assert!(status.is_none(), "{status:?}");
                assert!(updates.iter().map(|(as_of, _)| *as_of).eq(1..=200), "{updates:?}");
            }
            _ => {
                let status = status.expect("a slow reader stayed");
                assert_eq!(
                    (status.code(), reason(&status).as_str()),
                    (Code::ResourceExhausted, "SLOW_READER")
                );
                assert!(updates.len() < 200);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forecast_is_due_by_time_too() {
    let (_running, mut sessions) = serve().await;
    let every = prost_types::Duration { seconds: 0, nanos: 20_000_000 };
    let emit = v1::EmitPolicy {
        when: Some(v1::emit_policy::When::EveryInterval(every)),
        ..v1::EmitPolicy::default()
    };
    create(&mut sessions, v1::CreateSessionRequest { emit: Some(emit), ..new_session("s") }).await.unwrap();
    let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    for first in [1, 11] {
        stream.observe(hours(first, 10)).await;
        loop {
            if let Payload::Update(update) = stream.next().await.unwrap().unwrap()
                && update.as_of_sequence == first + 9
            {
                let n = usize::try_from(first).unwrap() + 9;
                assert_eq!(
                    bits(&result(&update).mean),
                    bits(&expected(n, &[]).mean.iter().copied().collect::<Vec<_>>())
                );
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so_on_every_stream_and_ends_in_time() {
    let (serving, mut sessions) = serve().await;
    create(&mut sessions, new_session("s")).await.unwrap();
    let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    let watch = v1::WatchSessionRequest { session: "sessions/s".to_string(), ..Default::default() };
    let mut watched = in_time(sessions.watch_session(watch)).await.unwrap().into_inner();
    let Serving { running, _folder } = serving;
    let stopped = running.stop();
    let Some(Payload::Draining(draining)) = stream.next().await.unwrap() else { panic!("not draining") };
    assert!(draining.deadline.is_some() && draining.reconnect_after.is_some());
    let told = in_time(watched.message()).await.unwrap().unwrap().payload.unwrap();
    assert!(matches!(told, v1::watch_session_response::Payload::Draining(_)));
    // What is on its way still counts.
    stream.observe(hours(1, 5)).await;
    stream.until_applied(5).await.unwrap();
    stream.close();
    assert!(stream.rest().await.1.is_none());
    // The watcher never goes by itself.
    let start = std::time::Instant::now();
    let status = in_time(watched.message()).await.unwrap_err();
    assert_eq!(reason(&status), "DRAINING");
    drop((stream, sessions, watched));
    in_time(stopped).await.unwrap();
    assert!(start.elapsed() < std::time::Duration::from_secs(12));
}
