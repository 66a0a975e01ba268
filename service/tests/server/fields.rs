//! Bad fields: each one is named by its path, and one answer names all of them.

use forecast_proto::v1;
use forecast_proto::v1::CalendarStep;
use forecast_proto::v1::regular_axis::Step as Wire;
use longcast::server::Reason;
use tonic::{Code, Status};

use crate::errors::{details, paths};
use crate::exchange::{ask, fit, hourly_model, index, nanos, regular_mut, request, series, serve};
use crate::run::wave;

/// A good request about 100 hours, changed by `spoil`.
fn spoilt(spoil: impl Fn(&mut v1::ForecastRequest)) -> v1::ForecastRequest {
    let mut asked = request(&series("load", wave(100, 1)));
    spoil(&mut asked);
    asked
}

fn spec(asked: &mut v1::ForecastRequest) -> &mut v1::ForecastSpec {
    asked.spec.get_or_insert_default()
}

fn values(asked: &mut v1::ForecastRequest) -> &mut Vec<f64> {
    &mut asked.series.get_or_insert_default().values
}

/// Each request breaks one rule, and the answer names that field and no other.
async fn check(cases: Vec<(&str, v1::ForecastRequest)>) -> Vec<Status> {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let mut refusals = Vec::new();
    for (path, asked) in cases {
        let answer = ask(&mut client, asked).await;
        let status = answer.expect_err(path);
        assert_eq!(paths(&details(&status, Reason::FieldInvalid)), [path], "{status:?}");
        let field = path.rsplit('.').next().unwrap();
        assert!(status.message().contains(field), "{status:?}");
        refusals.push(status);
    }
    refusals
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_spec_is_named_by_its_path() {
    let coverage = |at: usize, value: f64| {
        spoilt(move |asked| spec(asked).interval_coverages = [vec![0.8; at], vec![value]].concat())
    };
    let quantile = |value: f64| spoilt(move |asked| spec(asked).quantile_levels = vec![0.1, 0.2, value]);
    let refusals = check(vec![
        ("spec", spoilt(|asked| asked.spec = None)),
        ("spec.horizon", spoilt(|asked| spec(asked).horizon = 0)),
        ("spec.horizon", spoilt(|asked| spec(asked).horizon = -7)),
        ("spec.horizon", spoilt(|asked| spec(asked).horizon = i32::MIN)),
        (
            "spec.horizon",
            spoilt(|asked| *spec(asked) = v1::ForecastSpec { horizon: 1_000_001, ..Default::default() }),
        ),
        ("spec.interval_coverages[0]", coverage(0, 1.5)),
        ("spec.interval_coverages[1]", coverage(1, 1.0)),
        ("spec.interval_coverages[2]", coverage(2, 0.0)),
        ("spec.interval_coverages[0]", coverage(0, -0.1)),
        ("spec.interval_coverages[0]", coverage(0, f64::NAN)),
        ("spec.interval_coverages[0]", coverage(0, 80.0)),
        ("spec.quantile_levels[2]", quantile(1.0)),
        ("spec.quantile_levels[2]", quantile(0.0)),
        ("spec.quantile_levels[2]", quantile(f64::INFINITY)),
        ("spec", spoilt(|asked| spec(asked).quantile_levels = vec![0.5; 101])),
        ("spec", spoilt(|asked| spec(asked).interval_coverages = vec![0.5; 100])),
    ])
    .await;
    assert!(refusals[2].message().contains("-7"), "{:?}", refusals[2]);
    assert!(refusals[5].message().contains("1.5"), "{:?}", refusals[5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_axis_is_named_by_its_path() {
    let axis = |spoil: fn(&mut v1::RegularAxis)| spoilt(move |asked| spoil(regular_mut(asked)));
    let no_axis = |axis: Option<v1::TimeAxis>| {
        spoilt(move |asked| asked.series.get_or_insert_default().axis = axis.clone())
    };
    let refusals = check(vec![
        ("series", spoilt(|asked| asked.series = None)),
        ("series.axis", no_axis(None)),
        ("series.axis", no_axis(Some(v1::TimeAxis { axis: None }))),
        ("series.axis.regular.step", axis(|axis| axis.step = None)),
        ("series.axis.regular.step", axis(|axis| axis.step = Some(nanos("15min")))),
        (
            "series.axis.regular.step",
            axis(|axis| axis.step = Some(Wire::CalendarStep(CalendarStep::Month.into()))),
        ),
        ("series.axis.regular.step_nano", axis(|axis| axis.step = Some(Wire::StepNano(0)))),
        ("series.axis.regular.step_nano", axis(|axis| axis.step = Some(Wire::StepNano(i64::MIN)))),
        ("series.axis.regular.calendar_step", axis(|axis| axis.step = Some(Wire::CalendarStep(0)))),
        ("series.axis.regular.calendar_step", axis(|axis| axis.step = Some(Wire::CalendarStep(99)))),
        ("series.axis.regular.time_zone", axis(|axis| axis.time_zone = "Mars/Phobos".to_string())),
    ])
    .await;
    let mismatch = refusals[4].message();
    assert!(mismatch.contains("15min") && mismatch.contains("1h"), "{mismatch}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_calendar_units_are_checked() {
    let months = fit(
        "naive",
        &[],
        &["y"],
        vec![{
            let values = ndarray::Array2::from_shape_vec((240, 1), wave(240, 1)).unwrap();
            forecast::Series::new("load", index("MS", 240), values, &["y".to_string()]).unwrap()
        }],
    );
    let (_running, mut client) = serve(&months).await;
    let good = request(&months.history()[0]);
    ask(&mut client, good.clone()).await.unwrap();
    for (unit, count, field) in [
        (CalendarStep::Month, -1, "calendar_step"),
        (CalendarStep::Week, i32::MAX, "calendar_step"),
        (CalendarStep::Year, i32::MAX, "calendar_step"),
        (CalendarStep::Month, 2, "step"),
        (CalendarStep::Day, 30, "step"),
        (CalendarStep::Quarter, 1, "step"),
    ] {
        let mut asked = good.clone();
        let axis = regular_mut(&mut asked);
        (axis.step, axis.step_count) = (Some(Wire::CalendarStep(unit.into())), count);
        let status = ask(&mut client, asked).await.expect_err("a wrong step");
        let expected = format!("series.axis.regular.{field}");
        let found = paths(&details(&status, Reason::FieldInvalid));
        // A count is at fault as much as its unit.
        assert!(
            found == [expected] || found == ["series.axis.regular.step_count"],
            "{unit:?} x {count}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_value_is_named_by_its_position() {
    let refusals = check(vec![
        ("series.values", spoilt(|asked| values(asked).clear())),
        ("series.values[0]", spoilt(|asked| values(asked)[0] = f64::INFINITY)),
        ("series.values[99]", spoilt(|asked| values(asked)[99] = f64::NEG_INFINITY)),
    ])
    .await;
    assert!(refusals[2].message().contains("-inf"), "{:?}", refusals[2]);

    let two = fit(
        "naive",
        &[],
        &["a", "b"],
        vec![{
            let values =
                ndarray::Array2::from_shape_fn((200, 2), |(step, channel)| (step * (channel + 1)) as f64);
            let names = ["a", "b"].map(String::from);
            forecast::Series::new("pair", index("1h", 200), values, &names).unwrap()
        }],
    );
    let (_running, mut client) = serve(&two).await;
    let mut odd = request(&two.history()[0]);
    values(&mut odd).pop();
    let status = ask(&mut client, odd).await.unwrap_err();
    assert_eq!(paths(&details(&status, Reason::FieldInvalid)), ["series.values"]);
    assert!(status.message().contains("2 channels (a, b)"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_names_every_bad_field() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let asked = spoilt(|asked| {
        *spec(asked) = v1::ForecastSpec {
            horizon: 0,
            quantile_levels: vec![0.5, 2.0],
            interval_coverages: vec![80.0, 0.9, 95.0],
            ..v1::ForecastSpec::default()
        };
    });
    let status = ask(&mut client, asked).await.unwrap_err();
    let expected = [
        "spec.horizon",
        "spec.quantile_levels[1]",
        "spec.interval_coverages[0]",
        "spec.interval_coverages[2]",
    ];
    assert_eq!(paths(&details(&status, Reason::FieldInvalid)), expected);
    assert!(status.message().contains("3 more"), "{status:?}");

    let asked = spoilt(|asked| {
        values(asked)[3] = f64::INFINITY;
        values(asked)[5] = f64::INFINITY;
        regular_mut(asked).step = None;
    });
    let status = ask(&mut client, asked).await.unwrap_err();
    let details = details(&status, Reason::FieldInvalid);
    assert_eq!(paths(&details), ["series.values[3]", "series.values[5]", "series.axis.regular.step"]);
    assert_eq!(details.error_info().unwrap().metadata["series_id"], "load");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_names_at_most_a_hundred_fields_and_stays_small() {
    let model = hourly_model();
    let (_running, mut client) = serve(&model).await;
    let infinite = spoilt(|asked| *values(asked) = vec![f64::INFINITY; 100_000]);
    let coverages = spoilt(|asked| spec(asked).interval_coverages = vec![7.0; 100_000]);
    let both = spoilt(|asked| {
        spec(asked).interval_coverages = vec![7.0; 1000];
        spec(asked).quantile_levels = vec![7.0; 1000];
        spec(asked).horizon = 0;
    });
    for asked in [infinite, coverages, both] {
        let status = ask(&mut client, asked).await.unwrap_err();
        // Not a transport error: the details fit into the headers.
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(paths(&details(&status, Reason::FieldInvalid)).len(), 100);
    }
}
