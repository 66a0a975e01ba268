//! What sessions refuse, each with its code, its reason and the field.

use forecast_proto::v1;
use forecast_proto::v1::stream_session_request::Payload as Ask;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::exchange::{in_time, spec};
use crate::session_client::{Stream, hours, new_session, reason};
use crate::sessions::serve;

fn fields(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_of_a_new_session_is_named() {
    type Change = Box<dyn Fn(&mut v1::CreateSessionRequest)>;
    let cases: Vec<(&str, Change)> = vec![
        ("session_id", Box::new(|r| r.session_id = "-a".to_string())),
        ("session_id", Box::new(|r| r.session_id = "a/b".to_string())),
        ("history", Box::new(|r| r.history.clear())),
        ("history[1].series_id", Box::new(|r| r.history.push(r.history[0].clone()))),
        ("history[0].values[3]", Box::new(|r| r.history[0].values[3] = f64::INFINITY)),
        ("spec", Box::new(|r| r.spec = None)),
        ("spec.horizon", Box::new(|r| r.spec.as_mut().unwrap().horizon = 0)),
        ("idle_ttl", Box::new(|r| r.idle_ttl = Some(prost_types::Duration { seconds: 0, nanos: 5 }))),
        ("idle_ttl", Box::new(|r| r.idle_ttl = Some(prost_types::Duration { seconds: -1, nanos: 0 }))),
        ("durability", Box::new(|r| r.durability = 77)),
        ("interval_method", Box::new(|r| r.interval_method = v1::IntervalMethod::Adaptive.into())),
        ("emit.slow_consumer", Box::new(|r| r.emit.as_mut().unwrap().slow_consumer = 9)),
        (
            "emit.every_observations",
            Box::new(|r| r.emit.as_mut().unwrap().when = Some(v1::emit_policy::When::EveryObservations(0))),
        ),
        (
            "emit.on_request",
            Box::new(|r| r.emit.as_mut().unwrap().when = Some(v1::emit_policy::When::OnRequest(false))),
        ),
        (
            "emit.every_interval",
            Box::new(|r| {
                let soon = prost_types::Duration { seconds: 0, nanos: 1_000_000 };
                r.emit.as_mut().unwrap().when = Some(v1::emit_policy::When::EveryInterval(soon));
            }),
        ),
        (
            "fallback.mase_limit",
            Box::new(|r| r.fallback = Some(v1::FallbackPolicy { mase_limit: f64::NAN, min_observations: 0 })),
        ),
        (
            "time_policy.late",
            Box::new(|r| {
                let late = v1::TimeAction::Impute.into();
                r.time_policy = Some(v1::TimePolicy { late, ..v1::TimePolicy::default() });
            }),
        ),
        (
            "series_time_policies[0].series_index",
            Box::new(|r| {
                r.series_time_policies = vec![v1::SeriesTimePolicy { series_index: 3, policy: None }]
            }),
        ),
        ("request_id", Box::new(|r| r.request_id = "x".repeat(129))),
    ];
    let (_running, mut sessions) = serve().await;
    for (field, change) in cases {
        let mut request = new_session("s");
        change(&mut request);
        let status = in_time(sessions.create_session(request)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}: {status:?}");
        assert_eq!(fields(&status), [field], "{status:?}");
    }
    let both = v1::CreateSessionRequest {
        durability: 9,
        idle_ttl: Some(prost_types::Duration::default()),
        ..new_session("s")
    };
    let status = in_time(sessions.create_session(both)).await.unwrap_err();
    assert_eq!(fields(&status), ["durability", "idle_ttl"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_a_call_has_its_reason() {
    let (_running, mut sessions) = serve().await;
    in_time(sessions.create_session(new_session("s"))).await.unwrap();
    let check = |status: Status, code: Code, wanted: &str| {
        assert_eq!((status.code(), reason(&status).as_str()), (code, wanted), "{status:?}");
    };
    let again = in_time(sessions.create_session(new_session("s"))).await.unwrap_err();
    check(again, Code::AlreadyExists, "SESSION_EXISTS");
    let unknown = v1::CreateSessionRequest { model: "models/none".to_string(), ..new_session("t") };
    check(in_time(sessions.create_session(unknown)).await.unwrap_err(), Code::NotFound, "MODEL_NOT_FOUND");
    let wide = v1::CreateSessionRequest {
        spec: Some(v1::ForecastSpec { interval_coverages: vec![0.99999], ..spec() }),
        ..new_session("t")
    };
    let status = in_time(sessions.create_session(wide)).await;
    assert!(status.is_ok() || reason(&status.unwrap_err()) == "NOT_CALIBRATED");
    let get = v1::GetSessionRequest { name: "sessions/none".to_string(), include_figures: false };
    let status = in_time(sessions.get_session(get)).await.unwrap_err();
    assert_eq!(status.get_error_details().resource_info().unwrap().resource_name, "sessions/none");
    check(status, Code::NotFound, "SESSION_NOT_FOUND");
    let etag = v1::DeleteSessionRequest { name: "sessions/s".to_string(), etag: "old".to_string() };
    check(in_time(sessions.delete_session(etag)).await.unwrap_err(), Code::Aborted, "ETAG_MISMATCH");
    let observe = v1::ObserveRequest { session: "sessions/s".to_string(), ..v1::ObserveRequest::default() };
    let status = in_time(sessions.observe(observe)).await.unwrap_err();
    assert_eq!(fields(&status), ["observations"]);
    let watch = v1::WatchSessionRequest {
        session: "sessions/s".to_string(),
        series_index: vec![0, 1],
        send_current: false,
    };
    let status = in_time(sessions.watch_session(watch)).await.unwrap_err();
    assert_eq!(fields(&status), ["series_index[1]"]);
    let list = v1::ListSessionsRequest { page_size: -1, ..v1::ListSessionsRequest::default() };
    assert_eq!(fields(&in_time(sessions.list_sessions(list)).await.unwrap_err()), ["page_size"]);
    let delete = v1::DeleteSessionRequest { name: "sessions/s".to_string(), etag: String::new() };
    in_time(sessions.delete_session(delete.clone())).await.unwrap();
    check(in_time(sessions.delete_session(delete)).await.unwrap_err(), Code::NotFound, "SESSION_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misuse_of_a_stream_ends_it_with_its_reason() {
    let (_running, mut sessions) = serve().await;
    in_time(sessions.create_session(new_session("s"))).await.unwrap();
    let status = Stream::open(&mut sessions, "sessions/none", 0).await.unwrap_err();
    assert_eq!(reason(&status), "SESSION_NOT_FOUND");
    type Change = Box<dyn Fn(&mut v1::ObservationBatch)>;
    let changes: Vec<(&str, Change)> = vec![
        ("observations.first_sequence", Box::new(|b| b.first_sequence = 0)),
        ("observations.values", Box::new(|b| b.values.clear())),
        ("observations.series_index", Box::new(|b| b.series_index = vec![0])),
        ("observations.time_unix_nano", Box::new(|b| b.time_unix_nano.truncate(1))),
        (
            "observations.covariates[0].name",
            Box::new(|b| {
                let name = "t".to_string();
                b.covariates = vec![v1::Covariate { name, values: vec![1.0; 5], ..v1::Covariate::default() }];
            }),
        ),
    ];
    for (field, change) in changes {
        let (mut stream, opened) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
        assert_eq!(opened.next_sequence, 1);
        let mut batch = hours(1, 5);
        change(&mut batch);
        stream.observe(batch).await;
        let status = stream.failure().await;
        assert_eq!(fields(&status), [field], "{status:?}");
    }
    let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    stream.ask(Ask::Open(v1::OpenSession::default())).await;
    assert_eq!(fields(&stream.failure().await), ["open"]);
    let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
    let delete = v1::DeleteSessionRequest { name: "sessions/s".to_string(), etag: String::new() };
    in_time(sessions.delete_session(delete)).await.unwrap();
    assert_eq!(reason(&stream.failure().await), "SESSION_NOT_FOUND");
}
