//! `Forecast`: the numbers of the library, whatever is asked and however many ask.

use forecast::ForecastOptions;
use forecast_proto::v1;
use futures_util::future::join_all;
use ndarray::Array2;

use crate::exchange::{
    Running, ask, check_equal, fit, hourly_model, in_time, index, nanos, options, regular, request, series,
    serve,
};
use crate::run::{bits, wave};

#[tokio::test(flavor = "multi_thread")]
async fn a_served_forecast_has_the_bits_of_the_library() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    for (id, seed, len) in [("load", 1, 600), ("load", 2, 24), ("unknown", 3, 100), ("", 4, 5000)] {
        let history = series(id, wave(len, seed));
        let message = ask(&mut client, request(&history)).await.unwrap();
        check_equal(&message, &model.forecast_series(&history, &options()).unwrap());

        let axis = regular(message.axis.as_ref());
        assert_eq!(axis.start_unix_nano, history.index().end() + 3_600_000_000_000);
        assert_eq!((axis.step, axis.time_zone.as_str()), (Some(nanos("1h")), ""));
        assert_eq!(message.mean.len(), 24);
        let took = message.compute_duration.unwrap();
        assert!(took.seconds < 60 && (took.seconds, took.nanos) > (0, 0), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_values_travel_as_nan_and_are_warned_of() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let mut values = wave(200, 5);
    values[197] = f64::NAN;
    // A NaN of another kind is a NaN.
    values[60] = f64::from_bits(0xfff8_0000_0000_1234);
    let history = series("load", values);
    let message = ask(&mut client, request(&history)).await.unwrap();
    check_equal(&message, &model.forecast_series(&history, &options()).unwrap());
    assert_eq!(message.warnings.len(), 1);
    assert_eq!(message.warnings[0].reason, "MISSING_FILLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn intervals_are_answered_as_they_were_asked_for() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let history = series("load", wave(200, 6));
    let mut asked = request(&history);
    let coverages = vec![0.8, 0.55, 1.0 / 3.0, 0.29, 0.07, 0.95];
    asked.spec = Some(v1::ForecastSpec {
        horizon: 1,
        interval_coverages: coverages.clone(),
        ..v1::ForecastSpec::default()
    });
    let message = ask(&mut client, asked).await.unwrap();
    let answered: Vec<f64> = message.intervals.iter().map(|interval| interval.coverage).collect();
    assert_eq!(bits(&answered), bits(&coverages));
    for (interval, coverage) in message.intervals.iter().zip(&coverages) {
        assert!(interval.lower[0] < interval.upper[0], "{coverage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_found_by_name_by_revision_and_when_it_is_the_only_one() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let history = series("load", wave(100, 7));
    let first = ask(&mut client, request(&history)).await.unwrap();
    let digest = model.digest().unwrap();
    let revision = first.model_revision.strip_prefix("models/load/revisions/").unwrap();
    assert!(revision.len() >= 8 && digest.starts_with(revision), "{revision} {digest}");
    for name in ["", "models/load", &first.model_revision] {
        let message =
            ask(&mut client, v1::ForecastRequest { model: name.to_string(), ..request(&history) }).await;
        assert_eq!(message.unwrap().mean, first.mean, "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_two_models_answers_under_its_name() {
    let (ar, naive) = (hourly_model(), fit("naive", &[], &["y"], vec![series("load", wave(600, 1))]));
    let running = Running::start(&[("ar", &ar), ("naive", &naive)]).await;
    let mut client = running.client().await;
    let history = series("load", wave(100, 8));
    for (name, model) in [("models/ar", &ar), ("models/naive", &naive)] {
        let message =
            ask(&mut client, v1::ForecastRequest { model: name.to_string(), ..request(&history) }).await;
        let message = message.unwrap();
        check_equal(&message, &model.forecast_series(&history, &options()).unwrap());
        assert!(message.model_revision.starts_with(name), "{}", message.model_revision);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_lie_beside_each_other_in_each_step() {
    let channels = ["north", "south", "west"];
    let columns: Vec<Vec<f64>> = (0..3).map(|seed| wave(600, seed)).collect();
    let values =
        Array2::from_shape_fn((600, 3), |(step, channel)| columns[channel][step] * (1.0 + channel as f64));
    let names = channels.map(String::from);
    let history = forecast::Series::new("grid", index("1h", 600), values, &names).unwrap();
    let model = fit("ar", &[("order", "24")], &channels, vec![history.clone()]);
    let (_running, mut client) = serve(&model).await;
    let message = ask(&mut client, request(&history)).await.unwrap();
    check_equal(&message, &model.forecast_series(&history, &options()).unwrap());
    assert_eq!(message.channels, channels);
    assert_eq!(message.mean.len(), 24 * 3);
    // Their levels are 100, 200 and 300.
    for (i, value) in message.mean.iter().enumerate() {
        let level = 100.0 * (1 + i % 3) as f64;
        assert!((value - level).abs() < 0.3 * level, "element {i} is {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_model_forecasts_series_that_it_has_not_seen_with_a_warning() {
    let histories = vec![series("a", wave(400, 1)), series("b", wave(400, 2))];
    let model = fit("ar", &[("order", "24"), ("pooled", "true")], &["y"], histories);
    let (_running, mut client) = serve(&model).await;
    let new = series("c", wave(100, 3));
    let message = ask(&mut client, request(&new)).await.unwrap();
    check_equal(&message, &model.forecast_series(&new, &options()).unwrap());
    assert_eq!(message.warnings[0].reason, "SERIES_NOT_TRAINED");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_calls_at_once_get_the_answers_of_the_same_calls_one_by_one() {
    let model = hourly_model();
    let (running, mut client) = serve(&model).await;
    let requests: Vec<v1::ForecastRequest> =
        (0..64).map(|i| request(&series(&format!("load-{i}"), wave(50 + 7 * i, i as u64)))).collect();
    let mut one_by_one = Vec::new();
    for request in &requests {
        one_by_one.push(ask(&mut client, request.clone()).await.unwrap());
    }
    // Half of them share a connection.
    let other = running.client().await;
    let calls = requests.iter().enumerate().map(|(i, request)| {
        let mut client = if i % 2 == 0 { client.clone() } else { other.clone() };
        async move { ask(&mut client, request.clone()).await.unwrap() }
    });
    let at_once = in_time(join_all(calls)).await;
    for (at_once, one_by_one) in at_once.into_iter().zip(one_by_one) {
        let timeless = |message: v1::Forecast| v1::Forecast { compute_duration: None, ..message };
        assert_eq!(timeless(at_once), timeless(one_by_one));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_horizon_is_answered() {
    let model = hourly_model();
    let (running, _) = serve(&model).await;
    let mut client = running.client().await.max_decoding_message_size(16 << 20);
    let history = series("load", wave(100, 9));
    let mut asked = request(&history);
    asked.spec = Some(v1::ForecastSpec { horizon: 1_000_000, ..v1::ForecastSpec::default() });
    let message = ask(&mut client, asked).await.unwrap();
    let expected = model
        .forecast_series(&history, &ForecastOptions { horizon: 1_000_000, ..Default::default() })
        .unwrap();
    check_equal(&message, &expected);
    assert_eq!(message.mean.len(), 1_000_000);
}
