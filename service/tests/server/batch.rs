//! `BatchForecast`: every series gets its answer, whatever becomes of the others.

use std::collections::BTreeMap;

use forecast::Series;
use forecast_proto::v1;
use forecast_proto::v1::batch_forecast_response::Outcome;
use forecast_proto::v1::regular_axis::Step as Wire;
use longcast::server::{Reason, to_series_message};
use tonic::{Code, Status};

use crate::errors::{details, paths};
use crate::exchange::{
    Client, ask, check_equal, hourly_model, in_time, options, request, series, serve, spec,
};
use crate::run::wave;

fn batch(histories: &[Series], ordered: bool) -> v1::BatchForecastRequest {
    v1::BatchForecastRequest {
        model: "models/load".to_string(),
        series: histories.iter().map(to_series_message).collect(),
        spec: Some(spec()),
        ordered,
    }
}

/// All responses, in the order in which they came.
async fn collect(
    client: &mut Client,
    asked: v1::BatchForecastRequest,
) -> Result<Vec<v1::BatchForecastResponse>, Status> {
    let mut stream = in_time(client.batch_forecast(asked)).await?.into_inner();
    let mut responses = Vec::new();
    while let Some(response) = in_time(stream.message()).await? {
        responses.push(response);
    }
    Ok(responses)
}

/// Histories of many lengths, long and short ones mixed.
fn histories(n: usize) -> Vec<Series> {
    (0..n).map(|i| series(&format!("load-{i}"), wave(24 + i * 977 % 5000, i as u64))).collect()
}

/// The error inside a response, as the status that a call for the series alone would have.
fn error_of(response: &v1::BatchForecastResponse) -> Status {
    match response.outcome.as_ref() {
        Some(Outcome::Error(error)) => {
            let bytes = prost::Message::encode_to_vec(error);
            Status::with_details(Code::from(error.code), error.message.clone(), bytes.into())
        }
        other => panic!("series {} has {other:?}", response.index),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordered_batch_gives_the_answers_of_single_calls_in_their_order() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let histories = histories(100);
    let responses = collect(&mut client, batch(&histories, true)).await.unwrap();
    assert_eq!(responses.len(), 100);
    for (i, (response, history)) in responses.iter().zip(&histories).enumerate() {
        assert_eq!((response.index, response.series_id.as_str()), (i as i32, history.id()));
        let Some(Outcome::Forecast(forecast)) = &response.outcome else { panic!("{response:?}") };
        check_equal(forecast, &model.forecast_series(history, &options()).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_as_it_finishes_gives_every_index_once_with_the_same_answers() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let histories = histories(200);
    let responses = collect(&mut client, batch(&histories, false)).await.unwrap();
    let by_index: BTreeMap<i32, &v1::BatchForecastResponse> =
        responses.iter().map(|r| (r.index, r)).collect();
    assert_eq!(responses.len(), 200, "an index comes twice or not at all");
    assert_eq!(by_index.keys().copied().collect::<Vec<_>>(), (0..200).collect::<Vec<_>>());
    for (history, response) in histories.iter().zip(by_index.values()) {
        assert_eq!(response.series_id, history.id());
        let Some(Outcome::Forecast(forecast)) = &response.outcome else { panic!("{response:?}") };
        check_equal(forecast, &model.forecast_series(history, &options()).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_series_get_their_errors_and_the_others_go_on() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let good = series("good", wave(5000, 1));
    let mut asked = batch(&vec![good.clone(); 7], true);
    asked.series[1].values[4031] = f64::INFINITY;
    asked.series[2].values.fill(f64::NAN);
    asked.series[3].values.truncate(23);
    asked.series[4].axis = None;
    let Some(v1::time_axis::Axis::Regular(axis)) =
        asked.series[5].axis.as_mut().and_then(|a| a.axis.as_mut())
    else {
        panic!("no axis")
    };
    axis.step = Some(Wire::StepNano(1));
    for (i, series) in asked.series.iter_mut().enumerate() {
        series.series_id = format!("load-{i}");
    }

    for ordered in [true, false] {
        asked.ordered = ordered;
        let mut responses = collect(&mut client, asked.clone()).await.unwrap();
        responses.sort_by_key(|response| response.index);
        assert_eq!(responses.len(), 7);
        let expected = model.forecast_series(&good, &options()).unwrap();
        for i in [0, 6] {
            let Some(Outcome::Forecast(forecast)) = &responses[i].outcome else {
                panic!("{:?}", responses[i])
            };
            assert_eq!(forecast.mean, expected.mean.iter().copied().collect::<Vec<_>>());
        }
        for (i, reason, path) in [
            (1, Reason::FieldInvalid, "series[1].values[4031]"),
            (2, Reason::AllMissing, "series[2].values"),
            (3, Reason::HistoryTooShort, "series[3].values"),
            (4, Reason::FieldInvalid, "series[4].axis"),
            (5, Reason::FieldInvalid, "series[5].axis.regular.step"),
        ] {
            let details = details(&error_of(&responses[i]), reason);
            assert_eq!(paths(&details), [path]);
            assert_eq!(details.error_info().unwrap().metadata["series_id"], format!("load-{i}"));
            assert_eq!(responses[i].series_id, format!("load-{i}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_series_is_that_of_a_single_call_but_for_the_path() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let short = series("short", wave(10, 1));
    let alone = ask(&mut client, request(&short)).await.unwrap_err();
    let responses = collect(&mut client, batch(&[short], false)).await.unwrap();
    let in_batch = error_of(&responses[0]);
    assert_eq!((in_batch.code(), in_batch.message()), (alone.code(), alone.message()));
    let (alone, in_batch) =
        (details(&alone, Reason::HistoryTooShort), details(&in_batch, Reason::HistoryTooShort));
    let metadata = |details: &tonic_types::ErrorDetails| details.error_info().unwrap().metadata.clone();
    assert_eq!(metadata(&alone), metadata(&in_batch));
    assert_eq!(
        (paths(&alone), paths(&in_batch)),
        (vec!["series.values".into()], vec!["series[0].values".into()])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_whole_request_comes_before_the_first_answer() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let good = batch(&histories(3), false);
    let no_series = v1::BatchForecastRequest { series: Vec::new(), ..good.clone() };
    let status = in_time(client.batch_forecast(no_series)).await.unwrap_err();
    assert_eq!(paths(&details(&status, Reason::FieldInvalid)), ["series"]);
    let no_spec = v1::BatchForecastRequest { spec: None, ..good.clone() };
    let status = in_time(client.batch_forecast(no_spec)).await.unwrap_err();
    assert_eq!(paths(&details(&status, Reason::FieldInvalid)), ["spec"]);
    let horizon = Some(v1::ForecastSpec { horizon: 0, ..spec() });
    let bad_spec = v1::BatchForecastRequest { spec: horizon, ..good.clone() };
    let status = in_time(client.batch_forecast(bad_spec)).await.unwrap_err();
    assert_eq!(paths(&details(&status, Reason::FieldInvalid)), ["spec.horizon"]);
    let unknown = v1::BatchForecastRequest { model: "models/other".to_string(), ..good };
    let status = in_time(client.batch_forecast(unknown)).await.unwrap_err();
    assert_eq!(
        details(&status, Reason::ModelNotFound).resource_info().unwrap().resource_name,
        "models/other"
    );
}
