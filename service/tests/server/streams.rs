//! `StreamForecast`: any number of series on one stream, each with its answer.

use std::collections::BTreeMap;

use forecast_proto::v1;
use forecast_proto::v1::stream_forecast_request::Payload;
use forecast_proto::v1::stream_forecast_response::Outcome;
use longcast::server::{Reason, to_series_message};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use crate::errors::details;
use crate::exchange::{check_equal, hourly_model, in_time, options, series, serve, spec};
use crate::run::wave;

fn open(model: &str) -> v1::StreamForecastRequest {
    let open = v1::StreamForecastOpen { model: model.to_string(), spec: Some(spec()) };
    v1::StreamForecastRequest { payload: Some(Payload::Open(open)), correlation_id: 0 }
}

fn of(series: v1::Series, correlation_id: u64) -> v1::StreamForecastRequest {
    v1::StreamForecastRequest { payload: Some(Payload::Series(series)), correlation_id }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_series_gets_its_own_answer_and_a_bad_one_disturbs_no_other() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let (send, receive) = mpsc::channel(4);
    let histories: Vec<_> = (0..300).map(|i| series("load", wave(24 + i as usize % 50, i))).collect();
    let sent: Vec<v1::Series> = histories.iter().map(to_series_message).collect();
    let writer = tokio::spawn(async move {
        send.send(open("models/load")).await.unwrap();
        for (i, mut series) in sent.into_iter().enumerate() {
            if i % 7 == 3 {
                series.values[5] = f64::INFINITY;
            }
            send.send(of(series, 1000 + i as u64)).await.unwrap();
        }
    });
    let mut answers =
        in_time(client.stream_forecast(ReceiverStream::new(receive))).await.unwrap().into_inner();
    let mut outcomes = BTreeMap::new();
    while let Some(answer) = in_time(answers.message()).await.unwrap() {
        assert!(outcomes.insert(answer.correlation_id, answer.outcome.unwrap()).is_none());
    }
    writer.await.unwrap();
    assert_eq!(outcomes.len(), histories.len());
    for (i, history) in histories.iter().enumerate() {
        match &outcomes[&(1000 + i as u64)] {
            Outcome::Forecast(message) if i % 7 != 3 => {
                check_equal(message, &model.forecast_series(history, &options()).unwrap());
            }
            Outcome::Error(error) if i % 7 == 3 => assert_eq!(error.code, i32::from(Code::InvalidArgument)),
            other => panic!("series {i}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_what_holds_for_all_of_it() {
    let (_running, mut client) = serve(&hourly_model()).await;
    let series = to_series_message(&series("load", wave(100, 1)));
    // A little more than four MiB.
    let large = v1::Series { values: vec![1.0; 530_000], ..series.clone() };
    for (messages, reason) in [
        (vec![of(series.clone(), 1)], Reason::FieldInvalid),
        (vec![], Reason::FieldInvalid),
        (vec![open("models/other")], Reason::ModelNotFound),
        (vec![open("models/load"), of(series.clone(), 1), open("models/load")], Reason::FieldInvalid),
        (vec![open("models/load"), of(large, 1)], Reason::MessageTooLarge),
    ] {
        let n = messages.len();
        let stream = client.stream_forecast(tokio_stream::iter(messages));
        let status = match in_time(stream).await {
            Err(status) => status,
            Ok(answers) => {
                let mut answers = answers.into_inner();
                loop {
                    match in_time(answers.message()).await {
                        Ok(Some(_)) => {}
                        Ok(None) => panic!("{n} messages ended well"),
                        Err(status) => break status,
                    }
                }
            }
        };
        details(&status, reason);
    }
}
