//! Errors on the wire: one code, one reason of the closed list, and the details that go with it.

use forecast_proto::v1;
use longcast::server::Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::exchange::{Running, ask, fit, hourly_model, request, series, serve};
use crate::run::wave;

/// The details of an error, once its reason is known to be one of ours and to go with its code.
pub(crate) fn details(status: &Status, reason: Reason) -> ErrorDetails {
    assert_eq!(status.code(), reason.code(), "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "longcast");
    assert_eq!(info.reason, reason.name(), "{status:?}");
    assert!(Reason::ALL.contains(&reason));
    assert!(!status.message().is_empty());
    details
}

/// The paths of the fields that an error names.
pub(crate) fn paths(details: &ErrorDetails) -> Vec<String> {
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    violations.iter().map(|violation| violation.field.clone()).collect()
}

/// The error of a call for this history on this model.
async fn refusal(model: &forecast::Model, request: v1::ForecastRequest) -> Status {
    let (_running, mut client) = serve(model).await;
    ask(&mut client, request).await.expect_err("the call should fail")
}

#[test]
fn the_reasons_are_a_closed_list_of_distinct_names() {
    let mut names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    let is_plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    assert!(names.iter().all(is_plain), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Reason::ALL.len());
    // What clients of the first version know.
    for (reason, name, code) in [
        (Reason::FieldInvalid, "FIELD_INVALID", Code::InvalidArgument),
        (Reason::ModelNotFound, "MODEL_NOT_FOUND", Code::NotFound),
        (Reason::SeriesUnknown, "SERIES_UNKNOWN", Code::FailedPrecondition),
        (Reason::HistoryTooShort, "HISTORY_TOO_SHORT", Code::FailedPrecondition),
        (Reason::AllMissing, "ALL_MISSING", Code::InvalidArgument),
        (Reason::NotCalibrated, "NOT_CALIBRATED", Code::FailedPrecondition),
        (Reason::Internal, "INTERNAL", Code::Internal),
    ] {
        assert_eq!((reason.name(), reason.code()), (name, code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_model_is_not_found_and_names_the_resource() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let history = series("load", wave(100, 1));
    for name in ["models/other", "load", "models/", "models/load/", "models/load/revisions/", "Models/load"] {
        let asked = v1::ForecastRequest { model: name.to_string(), ..request(&history) };
        let status = ask(&mut client, asked).await.expect_err(name);
        let details = details(&status, Reason::ModelNotFound);
        let resource = details.resource_info().unwrap();
        assert_eq!((resource.resource_name.as_str(), resource.resource_type.is_empty()), (name, false));
        assert!(status.message().contains("load"), "{status:?} does not list what is served");
    }
    for (name, reason) in [
        ("models/load/revisions/000000000000", Reason::RevisionNotFound),
        ("models/load@champion", Reason::AliasNotFound),
    ] {
        let asked = v1::ForecastRequest { model: name.to_string(), ..request(&history) };
        let status = ask(&mut client, asked).await.expect_err(name);
        assert_eq!(details(&status, reason).resource_info().unwrap().resource_name, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_model_name_is_refused_where_there_are_two() {
    let model = hourly_model();
    let running = Running::start(&[("a", &model), ("b", &model)]).await;
    let mut client = running.client().await;
    let asked = v1::ForecastRequest { model: String::new(), ..request(&series("load", wave(100, 1))) };
    let status = ask(&mut client, asked).await.unwrap_err();
    assert_eq!(paths(&details(&status, Reason::FieldInvalid)), ["model"]);
    assert!(status.message().contains("a, b"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_too_short_is_a_failed_precondition_with_both_numbers() {
    let status = refusal(&hourly_model(), request(&series("load-7", wave(23, 1)))).await;
    let details = details(&status, Reason::HistoryTooShort);
    assert_eq!(paths(&details), ["series.values"]);
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!((metadata["required"].as_str(), metadata["actual"].as_str()), ("24", "23"));
    assert_eq!(metadata["series_id"], "load-7");
    assert!(status.message().contains("23") && status.message().contains("24"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_missing_values_only_is_refused() {
    let status = refusal(&hourly_model(), request(&series("load", vec![f64::NAN; 100]))).await;
    let details = details(&status, Reason::AllMissing);
    assert_eq!(paths(&details), ["series.values"]);
    assert_eq!(details.error_info().unwrap().metadata["series_id"], "load");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_without_coefficients_of_its_own_is_unknown() {
    let model =
        fit("ar", &[("order", "24")], &["y"], vec![series("a", wave(400, 1)), series("b", wave(400, 2))]);
    let status = refusal(&model, request(&series("c", wave(100, 3)))).await;
    let details = details(&status, Reason::SeriesUnknown);
    assert_eq!(paths(&details), ["series.series_id"]);
    assert!(status.message().contains("a, b") && status.message().contains("pooled"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_beyond_the_calibration_are_refused_with_what_is_possible() {
    let history = series("load", wave(100, 1));
    let wide = |coverages: &[f64], quantiles: &[f64]| {
        let mut asked = request(&history);
        let spec = asked.spec.as_mut().unwrap();
        (spec.interval_coverages, spec.quantile_levels) = (coverages.to_vec(), quantiles.to_vec());
        asked
    };
    let status = refusal(&hourly_model(), wide(&[0.9999], &[])).await;
    assert_eq!(paths(&details(&status, Reason::NotCalibrated)), ["spec.interval_coverages"]);
    let status = refusal(&hourly_model(), wide(&[], &[0.9999])).await;
    assert_eq!(paths(&details(&status, Reason::NotCalibrated)), ["spec.quantile_levels"]);

    let mut far = wide(&[0.8], &[]);
    far.spec.as_mut().unwrap().horizon = 25;
    let status = refusal(&hourly_model(), far).await;
    assert_eq!(paths(&details(&status, Reason::FieldInvalid)), ["spec.horizon"]);
    assert!(status.message().contains("24 steps"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_goes_on_after_every_error() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let good = request(&series("load", wave(100, 1)));
    let expected = ask(&mut client, good.clone()).await.unwrap().mean;
    for bad in [
        v1::ForecastRequest::default(),
        v1::ForecastRequest { model: "models/other".to_string(), ..good.clone() },
        v1::ForecastRequest { spec: None, ..good.clone() },
        v1::ForecastRequest { series: None, ..good.clone() },
    ] {
        ask(&mut client, bad).await.unwrap_err();
        assert_eq!(ask(&mut client, good.clone()).await.unwrap().mean, expected);
    }
}
