//! Holds the bytes on the wire still: a client made from an older proto must be understood.

use std::error::Error;
use std::fmt::Debug;

use forecast_proto::FILE_DESCRIPTOR_SET;
use forecast_proto::v1::{
    self, BatchForecastRequest, BatchForecastResponse, CalendarStep, Forecast, ForecastRequest,
    ForecastResponse, ForecastSpec, Interval, QuantilePath, RegularAxis, Series, TimeAxis, Warning,
    batch_forecast_response, regular_axis, time_axis,
};
use prost::Message;

/// The values that the messages of these tests hold, as they are on the wire.
const ONE_AND_A_HALF: &[u8] = &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f];
const ONE_HALF: &[u8] = &[0, 0, 0, 0, 0, 0, 0xe0, 0x3f];

#[test]
fn wire_format_is_stable() -> Result<(), Box<dyn Error>> {
    let request = ForecastRequest {
        model: "models/m".to_owned(),
        series: Some(series(regular_axis::Step::StepNano(300))),
        spec: Some(spec()),
    };
    let wire =
        [field(1, b"models/m"), field(2, &series_on_wire(&[0x10, 0xac, 0x02])), field(3, &spec_on_wire())]
            .concat();
    check(&request, &wire)
}

#[test]
fn wire_format_of_a_batch_request_is_stable() -> Result<(), Box<dyn Error>> {
    let step = regular_axis::Step::CalendarStep(CalendarStep::Month.into());
    let request = BatchForecastRequest {
        model: "models/m".to_owned(),
        series: vec![series(step)],
        spec: Some(spec()),
        ordered: true,
    };
    let wire = [
        field(1, b"models/m"),
        field(2, &series_on_wire(&[0x18, 0x03])),
        field(3, &spec_on_wire()),
        vec![0x20, 0x01],
    ]
    .concat();
    check(&request, &wire)
}

#[test]
fn wire_format_of_a_response_is_stable() -> Result<(), Box<dyn Error>> {
    let response = ForecastResponse { forecast: Some(forecast()) };
    check(&response, &field(1, &forecast_on_wire()))
}

#[test]
fn wire_format_of_a_batch_response_is_stable() -> Result<(), Box<dyn Error>> {
    let response =
        |outcome| BatchForecastResponse { index: 7, series_id: "s".to_owned(), outcome: Some(outcome) };
    let head = [vec![0x08, 0x07], field(2, b"s")].concat();

    let done = response(batch_forecast_response::Outcome::Forecast(forecast()));
    check(&done, &[head.clone(), field(3, &forecast_on_wire())].concat())?;

    let failed = response(batch_forecast_response::Outcome::Error(tonic_types::Status {
        code: 9,
        message: "short".to_owned(),
        details: vec![prost_types::Any { type_url: "t".to_owned(), value: vec![0xff] }],
    }));
    let any = [field(1, b"t"), field(2, &[0xff])].concat();
    let status = [vec![0x08, 0x09], field(2, b"short"), field(3, &any)].concat();
    check(&failed, &[head, field(4, &status)].concat())
}

#[test]
fn an_opening_comes_after_the_axis_of_older_clients() -> Result<(), Box<dyn Error>> {
    let start = [0x09, 1, 0, 0, 0, 0, 0, 0, 0].to_vec();
    let axis = RegularAxis { start_unix_nano: 1, opening: "Mon-Fri".to_owned(), ..RegularAxis::default() };
    check(&axis, &[start.clone(), field(6, b"Mon-Fri")].concat())?;
    check(&RegularAxis { opening: String::new(), ..axis }, &start)
}

#[test]
fn missing_values_survive_the_wire() -> Result<(), Box<dyn Error>> {
    let sent = Series { values: vec![1.5, f64::NAN, -0.0], ..Series::default() };
    let got = Series::decode(sent.encode_to_vec().as_slice())?;
    let bits = |series: &Series| -> Vec<u64> { series.values.iter().map(|v| v.to_bits()).collect() };
    assert_eq!(bits(&got), bits(&sent));
    Ok(())
}

#[test]
fn descriptor_set_holds_every_file_that_it_needs() -> Result<(), Box<dyn Error>> {
    let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)?;
    let mut names = Vec::new();
    for file in &set.file {
        for dependency in &file.dependency {
            assert!(names.contains(&dependency.as_str()), "{dependency}");
        }
        names.push(file.name());
    }
    let services: Vec<&str> = set
        .file
        .iter()
        .filter(|file| file.package() == "longcast.v1")
        .flat_map(|file| file.service.iter().map(|service| service.name()))
        .collect();
    assert_eq!(
        services,
        [
            "TrainingService",
            "EvaluationService",
            "ForecastService",
            "ModelService",
            "ModelAdminService",
            "ServerService",
            "SessionService"
        ]
    );
    Ok(())
}

/// Asserts that `message` is `wire` when encoded and `wire` is `message` when decoded.
fn check<M>(message: &M, wire: &[u8]) -> Result<(), Box<dyn Error>>
where
    M: Message + Default + PartialEq + Debug,
{
    assert_eq!(message.encode_to_vec(), wire);
    assert_eq!(&M::decode(wire)?, message);
    Ok(())
}

/// Returns a field of `bytes` with their length before them; both fit in one byte here.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    const LENGTH_DELIMITED: u8 = 2;
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    [&[number << 3 | LENGTH_DELIMITED, length], bytes].concat()
}

fn axis(step: regular_axis::Step) -> TimeAxis {
    TimeAxis {
        axis: Some(time_axis::Axis::Regular(RegularAxis {
            start_unix_nano: -2,
            step: Some(step),
            time_zone: "UTC".to_owned(),
            step_count: 2,
            opening: String::new(),
        })),
    }
}

/// Returns `axis(step)` on the wire, where `step` is the bytes of its field.
fn axis_on_wire(step: &[u8]) -> Vec<u8> {
    let start = [0x09, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff].to_vec();
    // Encoders may put the fields in any order; this one puts the members of a `oneof` in the
    // place of their numbers.
    let regular = [start, step.to_vec(), field(4, b"UTC"), vec![0x28, 0x02]].concat();
    field(1, &regular)
}

fn series(step: regular_axis::Step) -> Series {
    Series {
        series_id: "s".to_owned(),
        axis: Some(axis(step)),
        values: vec![1.5, 0.5],
        covariates: vec![v1::Covariate {
            name: "c".to_owned(),
            known_in_future: true,
            values: vec![0.5],
            categories: vec!["d".to_owned()],
        }],
    }
}

fn series_on_wire(step: &[u8]) -> Vec<u8> {
    let values = [ONE_AND_A_HALF, ONE_HALF].concat();
    let covariate = [field(1, b"c"), vec![0x10, 0x01], field(3, ONE_HALF), field(4, b"d")].concat();
    [field(1, b"s"), field(2, &axis_on_wire(step)), field(3, &values), field(4, &covariate)].concat()
}

fn spec() -> ForecastSpec {
    ForecastSpec {
        horizon: 24,
        quantile_levels: vec![0.5],
        interval_coverages: vec![0.5],
        interval_band: v1::IntervalBand::WholePath.into(),
    }
}

fn spec_on_wire() -> Vec<u8> {
    [vec![0x08, 24], field(2, ONE_HALF), field(3, ONE_HALF), vec![0x30, 0x02]].concat()
}

fn forecast() -> Forecast {
    Forecast {
        series_id: "s".to_owned(),
        axis: Some(axis(regular_axis::Step::StepNano(1))),
        mean: vec![1.5],
        quantiles: vec![QuantilePath { level: 0.5, values: vec![1.5] }],
        intervals: vec![Interval { coverage: 0.5, lower: vec![0.5], upper: vec![1.5] }],
        model_revision: "r".to_owned(),
        warnings: vec![Warning { reason: "R".to_owned(), message: "m".to_owned() }],
        compute_duration: Some(prost_types::Duration { seconds: 1, nanos: 2 }),
        channels: vec!["OT".to_owned()],
    }
}

fn forecast_on_wire() -> Vec<u8> {
    const FIXED_64_FIELD_1: u8 = 0x09;
    let level = [&[FIXED_64_FIELD_1], ONE_HALF].concat();
    let quantile = [level.clone(), field(2, ONE_AND_A_HALF)].concat();
    let interval = [level, field(2, ONE_HALF), field(3, ONE_AND_A_HALF)].concat();
    [
        field(1, b"s"),
        field(2, &axis_on_wire(&[0x10, 0x01])),
        field(3, ONE_AND_A_HALF),
        field(4, &quantile),
        field(5, &interval),
        field(6, b"r"),
        field(7, &[field(1, b"R"), field(2, b"m")].concat()),
        field(8, &[0x08, 0x01, 0x10, 0x02]),
        field(9, b"OT"),
    ]
    .concat()
}
