//! Calendar steps and integer indexes, there and back.

use forecast::Step;
use forecast::data::{Series, TimeIndex, Zone};
use forecast_proto::v1;
use forecast_proto::v1::CalendarStep;
use forecast_proto::v1::regular_axis::Step as Wire;
use ndarray::Array2;
use tonic_types::StatusExt;

use crate::exchange::{Client, ask, check_equal, fit, options, regular, regular_mut, request, serve};
use crate::run::wave;

/// A model and its history on a grid of 240 steps.
fn fitted(step: Step, zone: &str, start: i64) -> (forecast::Model, Series) {
    let zone = Zone::try_from(zone.to_string()).unwrap();
    let index = TimeIndex::new(start, step, zone, 240);
    let values = Array2::from_shape_vec((240, 1), wave(240, 1)).unwrap();
    let history = Series::new("load", index, values, &["y".to_string()]).unwrap();
    (fit("ar", &[("order", "24")], &["y"], vec![history.clone()]), history)
}

/// 31 January 2000, midnight UTC.
const MONTH_END: i64 = 949_276_800_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn calendar_steps_survive_the_way_there_and_back() {
    for (step, zone, unit, count) in [
        (Step::Months(1), "", CalendarStep::Month, 1),
        (Step::Months(2), "", CalendarStep::Month, 2),
        (Step::Months(3), "UTC", CalendarStep::Month, 3),
        (Step::Days(1), "Europe/Rome", CalendarStep::Day, 1),
        (Step::Days(7), "America/New_York", CalendarStep::Day, 7),
    ] {
        let (model, history) = fitted(step, zone, MONTH_END);
        let (_running, mut client) = serve(&model).await;
        let asked = request(&history);
        let sent = regular(asked.series.as_ref().and_then(|series| series.axis.as_ref()));
        assert_eq!((sent.step, sent.step_count), (Some(Wire::CalendarStep(unit.into())), count));
        assert_eq!(sent.time_zone, zone);
        let message = ask(&mut client, asked.clone()).await.unwrap();
        let expected = model.forecast_series(&history, &options()).unwrap();
        check_equal(&message, &expected);
        let axis = regular(message.axis.as_ref());
        assert_eq!((axis.step, axis.step_count, axis.time_zone.as_str()), (sent.step, count, zone));
        let got = TimeIndex { start: axis.start_unix_nano, ..expected.index.clone() };
        assert_eq!(got, expected.index, "{step:?} in {zone:?}");
    }
}

/// Midnight of Monday, 29 January 2024, in UTC.
const MONDAY: i64 = 1_706_486_400_000_000_000;
const HOUR: i64 = 3_600_000_000_000;

/// A model and its history on 240 slots of an opening.
fn fitted_with_opening(step: Step, zone: &str, start: i64, opening: &str) -> (forecast::Model, Series) {
    let index = TimeIndex::new(start, step, Zone::try_from(zone.to_string()).unwrap(), 240);
    let index = index.with_opening(&opening.parse().unwrap()).unwrap();
    let values = Array2::from_shape_vec((240, 1), wave(240, 1)).unwrap();
    let history = Series::new("load", index, values, &["y".to_string()]).unwrap();
    (fit("ar", &[("order", "24")], &["y"], vec![history.clone()]), history)
}

#[tokio::test(flavor = "multi_thread")]
async fn openings_survive_the_way_there_and_back() {
    for (step, zone, start, opening) in [
        ("1D".parse().unwrap(), "", MONDAY, "Mon-Fri"),
        (Step::Days(1), "Europe/Rome", MONDAY + 16 * HOUR, "Mon-Fri; closed 2024-04-01, 2024-05-01"),
        ("1h".parse().unwrap(), "", MONDAY + 9 * HOUR, "Mon-Fri 09:00-17:00"),
        (
            "30min".parse().unwrap(),
            "America/New_York",
            MONDAY + 14 * HOUR,
            "Mon-Sat 09:00-12:00, 13:30-24:00",
        ),
    ] {
        let (model, history) = fitted_with_opening(step, zone, start, opening);
        let (_running, mut client) = serve(&model).await;
        let asked = request(&history);
        let sent = regular(asked.series.as_ref().and_then(|series| series.axis.as_ref())).clone();
        assert_eq!((sent.opening.as_str(), sent.time_zone.as_str()), (opening, zone));
        let message = ask(&mut client, asked).await.unwrap();
        let expected = model.forecast_series(&history, &options()).unwrap();
        check_equal(&message, &expected);
        let axis = regular(message.axis.as_ref());
        let start = history.index().stamp(240);
        assert_eq!((axis.opening.as_str(), axis.step, axis.start_unix_nano), (opening, sent.step, start));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_is_not_the_models_is_named_by_its_field() {
    let (model, history) =
        fitted_with_opening("1h".parse().unwrap(), "", MONDAY + 9 * HOUR, "Mon-Fri 09:00-17:00");
    let (_running, mut client) = serve(&model).await;
    let good = request(&history);
    for (opening, start, field, part) in [
        ("", 9, "opening", "the steps are 1h, but the model was fitted on 1h, Mon-Fri 09:00-17:00"),
        ("Mon-Fri", 9, "opening", "1h, Mon-Fri, but the model"),
        ("Mon-Fri 22:00-06:00", 9, "opening", "split them at midnight"),
        ("whenever", 9, "opening", "it must name days and hours"),
        ("Mon-Fri 9:00-17:00", 8, "start_unix_nano", "2024-01-29 08:00:00, but it lies outside the opening"),
        ("Mon-Fri 9:00-17:00", 17, "start_unix_nano", "outside"),
    ] {
        let mut asked = good.clone();
        let axis = regular_mut(&mut asked);
        (axis.opening, axis.start_unix_nano) = (opening.to_string(), MONDAY + start * HOUR);
        let status = ask(&mut client, asked).await.expect_err("another opening");
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{opening}");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, format!("series.axis.regular.{field}"), "{opening}");
        assert!(violations[0].description.contains(part), "{:?}", violations[0]);
    }
    let (plain, history) = fitted("1h".parse().unwrap(), "", MONDAY);
    let (_running, mut client) = serve(&plain).await;
    let mut asked = request(&history);
    regular_mut(&mut asked).opening = "Mon-Sun".to_string();
    let status = ask(&mut client, asked).await.expect_err("an opening that the model has not");
    assert!(status.message().contains("series.axis.regular.opening"), "{status}");
}

/// The step of an axis, written another way, is understood and gives the same forecast.
async fn check_equivalent(client: &mut Client, history: &Series, step: Wire, step_count: i32) {
    let expected = ask(client, request(history)).await.unwrap();
    let mut other = request(history);
    let axis = regular_mut(&mut other);
    (axis.step, axis.step_count) = (Some(step), step_count);
    let message =
        ask(client, other).await.unwrap_or_else(|status| panic!("{step:?} x {step_count}: {status}"));
    assert_eq!((message.mean, message.axis), (expected.mean, expected.axis), "{step:?} x {step_count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_has_several_names() {
    let unit = |unit: CalendarStep| Wire::CalendarStep(unit.into());
    let names = [
        (Step::Months(1), "", unit(CalendarStep::Month), 0),
        (Step::Months(3), "", unit(CalendarStep::Quarter), 1),
        (Step::Months(6), "", unit(CalendarStep::Quarter), 2),
        (Step::Months(12), "", unit(CalendarStep::Year), 0),
        (Step::Months(12), "", unit(CalendarStep::Month), 12),
        (Step::Days(7), "Europe/Rome", unit(CalendarStep::Week), 1),
        (Step::Days(1), "Europe/Rome", unit(CalendarStep::Day), 0),
        // A day without daylight saving has 24 hours.
        ("1D".parse().unwrap(), "", unit(CalendarStep::Day), 1),
        ("7D".parse().unwrap(), "", unit(CalendarStep::Week), 1),
        ("1D".parse().unwrap(), "UTC", unit(CalendarStep::Day), 1),
    ];
    for (step, zone, wire, count) in names {
        // 240 years of yearly steps end in the year 2239.
        let (model, history) = fitted(step, zone, MONTH_END);
        let (_running, mut client) = serve(&model).await;
        check_equivalent(&mut client, &history, wire, count).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn integer_indexes_count_on() {
    for (step, start) in [(1, 0), (5, 1000), (3, -900)] {
        let (model, history) = fitted(Step::Index(step), "", start);
        let (_running, mut client) = serve(&model).await;
        let message = ask(&mut client, request(&history)).await.unwrap();
        check_equal(&message, &model.forecast_series(&history, &options()).unwrap());
        let axis = regular(message.axis.as_ref());
        assert_eq!((axis.start_unix_nano, axis.step), (start + 240 * step, Some(Wire::StepNano(step))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stamps_at_the_end_of_time_are_answered_and_end_no_server() {
    for step in [Step::Months(1), "1h".parse().unwrap(), Step::Index(1)] {
        let (model, history) = fitted(step, "", 0);
        let (_running, mut client) = serve(&model).await;
        for start in [i64::MIN, i64::MAX, i64::MAX - 1] {
            let mut odd = request(&history);
            regular_mut(&mut odd).start_unix_nano = start;
            let answer = ask(&mut client, odd).await;
            let code = answer.as_ref().map_or_else(tonic::Status::code, |_| tonic::Code::Ok);
            assert!(
                matches!(code, tonic::Code::Ok | tonic::Code::InvalidArgument),
                "{step:?} {start}: {answer:?}"
            );
        }
        ask(&mut client, request(&history)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_hours_is_kept_and_changes_no_number() {
    let (model, history) = fitted("1h".parse().unwrap(), "", MONTH_END);
    let (_running, mut client) = serve(&model).await;
    let plain = ask(&mut client, request(&history)).await.unwrap();
    for zone in ["UTC", "Europe/Rome", "+05:30"] {
        let mut asked = request(&history);
        regular_mut(&mut asked).time_zone = zone.to_string();
        let message: v1::Forecast = ask(&mut client, asked).await.unwrap();
        assert_eq!(message.mean, plain.mean, "{zone}");
        let axis = regular(message.axis.as_ref());
        assert_eq!(axis.start_unix_nano, regular(plain.axis.as_ref()).start_unix_nano, "{zone}");
        assert!(!axis.time_zone.is_empty(), "{zone} became empty");
    }
}
