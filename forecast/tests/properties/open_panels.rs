//! Series with opening times from a file to a forecast and back: what is closed is absent, never missing.

use std::path::Path;

use forecast::data::{Cells, Frequency, Opening, Quality, Zone, infer_index};
use forecast::eval::{BacktestOptions, backtest};
use forecast::{FitOptions, ForecastOptions, Model, Panel, ReadOptions, State, Step};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};

use crate::{ar, fit, forecast_bits};

/// The weekdays from Monday, 4 December 2023 on.
fn weekdays() -> impl Iterator<Item = Date> {
    let first = Date::constant(2023, 12, 4);
    first.series(1.day()).filter(|date| date.weekday().to_monday_zero_offset() < 5)
}

/// The full hours from 9 to 16 of weekdays.
fn office_hours() -> impl Iterator<Item = DateTime> {
    weekdays().flat_map(|date| (9..17).map(move |hour| date.at(hour, 0, 0, 0)))
}

const HOLIDAYS: [&str; 3] = ["2023-12-25", "2023-12-26", "2024-01-01"];

fn is_holiday(date: Date) -> bool {
    HOLIDAYS.iter().any(|holiday| *holiday == date.to_string())
}

/// A row a stamp, with a value that repeats after `season` rows.
fn csv<S: std::fmt::Display>(stamps: impl Iterator<Item = S>, season: usize) -> String {
    let rows = stamps.enumerate().map(|(i, stamp)| {
        let noise = (i as f64 * 0.7).sin() / 10.0;
        format!("{stamp},{}\n", 10.0 + (i % season) as f64 + noise)
    });
    "ds,y\n".to_string() + &rows.collect::<String>()
}

fn read(csv: &str, options: &ReadOptions) -> forecast::Result<Panel> {
    Panel::read_csv(csv.as_bytes(), "open.csv", options)
}

fn opened(text: &str, zone: Option<&str>) -> ReadOptions {
    let zone = zone.map(|name| Zone::named(name).unwrap());
    ReadOptions { opening: Some(text.parse().unwrap()), zone, ..ReadOptions::default() }
}

#[test]
fn weekends_without_rows_are_read_as_business_days_and_said() {
    let panel = read(&csv(weekdays().take(30), 5), &ReadOptions::default()).unwrap();
    assert_eq!(panel.frequency(), "B".parse().unwrap());
    assert_eq!((panel.series()[0].n_steps(), panel.report().counts[0].absent), (30, 0));
    assert_eq!(
        panel.report().notes,
        ["no row lies on a weekend: read as business days; give --freq D to count weekends as missing"]
    );
    let quality = Quality::of(&panel);
    assert_eq!((quality.season_length, quality.frequency().to_string()), (5, "1D, Mon-Fri".to_string()));
    assert!(serde_json::to_string(&quality).unwrap().contains("\"step\":\"1D\",\"opening\":\"Mon-Fri\""));

    // A holiday is missing until the opening says that it is closed.
    let csv = csv(weekdays().filter(|date| !is_holiday(*date)).take(30), 5);
    assert_eq!(read(&csv, &ReadOptions::default()).unwrap().report().counts[0].absent, 3);
    let closed = opened(&format!("Mon-Fri; closed {}", HOLIDAYS.join(", ")), None);
    assert_eq!(read(&csv, &closed).unwrap().report().counts[0].absent, 0);
}

#[test]
fn weekends_are_missing_where_days_are_asked_for_or_too_few_tell() {
    let csv_of = |n: usize| csv(weekdays().take(n), 5);
    let days = ReadOptions { freq: Some("D".parse().unwrap()), ..ReadOptions::default() };
    let panel = read(&csv_of(11), &days).unwrap();
    assert_eq!((panel.report().counts[0].absent, panel.report().notes.len()), (4, 0));
    let short = read(&csv_of(10), &ReadOptions::default()).unwrap();
    assert_eq!(
        (short.frequency(), short.report().counts[0].absent),
        (Step::Nanos(86_400_000_000_000).into(), 2)
    );
    assert!(short.report().notes.is_empty());
}

#[test]
fn business_days_keep_their_time_of_day_over_a_change_of_clocks() {
    let dates = Date::constant(2024, 3, 18).series(1.day());
    let dates = dates.filter(|date| date.weekday().to_monday_zero_offset() < 5).take(20);
    let zone = Some(Zone::named("Europe/Rome").unwrap());
    let csv = csv(dates.map(|date| date.at(17, 30, 0, 0)), 5);
    let panel = read(&csv, &ReadOptions { zone, ..ReadOptions::default() }).unwrap();
    let index = panel.series()[0].index();
    assert_eq!((index.len, index.step, panel.report().counts[0].absent), (20, Step::Days(1), 0));
    assert_eq!(index.frequency().opening, Some(Opening::business_days()));
    assert_eq!(index.format(index.end()), "2024-04-12T17:30:00+02:00");
    assert_eq!(index.format(index.future(1).start), "2024-04-15T17:30:00+02:00");
}

#[test]
fn the_index_of_business_days_is_told_from_their_stamps() {
    let panel = read(&csv(weekdays().take(30), 5), &ReadOptions::default()).unwrap();
    let index = panel.series()[0].index();
    let stamps: Vec<i64> = index.stamps().collect();
    assert_eq!(infer_index(&stamps, false, &index.zone).unwrap(), *index);
}

#[test]
fn office_hours_have_no_missing_step_and_forecasts_skip_the_nights() {
    for zone in [None, Some("Europe/Rome"), Some("America/New_York")] {
        let options = opened("Mon-Fri 09:00-17:00; closed 2024-05-01", zone);
        let rows = office_hours().filter(|hour| hour.date() != Date::constant(2024, 5, 1));
        let rows: Vec<DateTime> = rows.take(8 * 104 + 11).collect();
        let panel = read(&csv(rows[..8 * 104].iter(), 40), &options).unwrap();
        assert_eq!((panel.series()[0].n_steps(), panel.report().counts[0].absent), (8 * 104, 0));
        assert_eq!(Quality::of(&panel).season_length, 40);

        let model = fit(&ar(40), &panel, 16);
        let asked = ForecastOptions { horizon: 11, levels: vec![80.0], ..Default::default() };
        let forecast = model.forecast(&panel, &asked).unwrap().remove(0);
        let told: Vec<String> =
            forecast.index.stamps().map(|stamp| forecast.index.civil(stamp).unwrap().to_string()).collect();
        assert_eq!(told, rows[8 * 104..].iter().map(DateTime::to_string).collect::<Vec<_>>());

        // The same from the file, from a state that was stored, and from the history in the model.
        let loaded = Model::from_bytes(&model.to_bytes().unwrap(), Path::new("open.longcast")).unwrap();
        assert_eq!(loaded.header(), model.header());
        assert_eq!(loaded.header().frequency(), panel.frequency());
        assert_eq!(loaded.forecast_next(&asked).unwrap(), model.forecast_next(&asked).unwrap());
        assert_eq!(forecast_bits(&loaded.forecast(&panel, &asked).unwrap()[0]), forecast_bits(&forecast));
        let state = loaded.start(&panel.series()[0]).unwrap();
        let stored: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        assert_eq!(loaded.forecast_from(&stored, &asked).unwrap(), forecast);
    }
}

#[test]
fn backtests_go_over_weekends() {
    let panel = read(&csv(weekdays().take(300), 5), &ReadOptions::default()).unwrap();
    let options =
        BacktestOptions { horizon: 3, n_windows: 7, step_size: Some(1), ..BacktestOptions::default() };
    let tested = backtest(&[ar(5)], &panel, &options).unwrap();
    assert_eq!(tested.season_length, 5);
    let table = tested.table();
    let column = |name: &str| &table.iter().find(|(column, _)| column == name).unwrap().1;
    let (Cells::Stamps(stamps, _), Cells::Stamps(cutoffs, _), Cells::Numbers(y)) =
        (column("ds"), column("cutoff"), column("y"))
    else {
        panic!("stamps and numbers");
    };
    assert_eq!(y.len(), 7 * 3);
    let index = panel.series()[0].index();
    for (row, stamp) in stamps.iter().enumerate() {
        assert!(!y[row].is_nan());
        assert!(index.civil(*stamp).unwrap().weekday().to_monday_zero_offset() < 5);
        let distance = |stamp: i64| index.position(stamp).unwrap();
        assert_eq!(distance(*stamp) - distance(cutoffs[row]), 1 + row % 3);
    }
}

#[test]
fn files_without_an_opening_say_nothing_of_one() {
    let hours = (0..400).map(|i| DateTime::constant(2024, 1, 1, 0, 0, 0, 0).checked_add(i.hours()).unwrap());
    let panel = read(&csv(hours, 24), &ReadOptions::default()).unwrap();
    let model = fit(&ar(3), &panel, 4);
    let bytes = model.to_bytes().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("opening"));
    let state = serde_json::to_string(&model.start(&panel.series()[0]).unwrap()).unwrap();
    assert!(!state.contains("opening"), "{state}");
}

#[test]
fn rows_outside_the_opening_name_it_and_the_fix() {
    let options = opened("Mon-Fri 09:00-17:00", None);
    let mut rows: Vec<DateTime> = office_hours().take(40).collect();
    rows.push("2023-12-09T10:00:00".parse().unwrap());
    assert_eq!(
        read(&csv(rows.iter(), 8), &options).unwrap_err().to_string(),
        "series \"y\" has a row at 2023-12-09 10:00:00, which lies outside the opening Mon-Fri 09:00-17:00; widen \
         the opening with --open, or leave the row out"
    );
    rows[40] = "2023-12-11T09:20:00".parse().unwrap();
    assert_eq!(
        read(&csv(rows.iter(), 8), &options).unwrap_err().to_string(),
        "series \"y\" is irregular: 2023-12-11 09:20:00 is not on the grid of 1h, Mon-Fri 09:00-17:00 steps that \
         starts at 2023-12-04 09:00:00; give its step with --freq, or resample it with --freq and --aggregate, for \
         example --freq 1h --aggregate mean"
    );
    // The first row decides nothing.
    rows[40] = "2023-12-04T08:00:00".parse().unwrap();
    let early = read(&csv(rows.iter(), 8), &options).unwrap_err().to_string();
    assert!(early.contains("a row at 2023-12-04 08:00:00, which lies outside"), "{early}");
    rows[40] = "2023-12-01T09:15:00".parse().unwrap();
    let odd = read(&csv(rows.iter(), 8), &options).unwrap_err().to_string();
    assert!(
        odd.contains("2023-12-01 09:15:00 is not on the grid") && odd.contains("starts at 2023-12-01 10:00")
    );

    let weekend = csv(Date::constant(2024, 1, 1).series(1.day()).take(20), 7);
    let refused = read(&weekend, &opened("Mon-Fri", None)).unwrap_err().to_string();
    assert!(
        refused.contains("a row at 2024-01-06 00:00:00, which lies outside the opening Mon-Fri"),
        "{refused}"
    );
    let monthly =
        read("ds,y\n2024-01-01,1\n2024-02-01,2\n2024-03-01,3\n", &opened("Mon-Fri", None)).unwrap_err();
    assert!(monthly.to_string().contains("divide a day"), "{monthly}");
    let integers = read("ds,y\n1,1\n2,2\n3,3\n", &opened("Mon-Fri", None)).unwrap_err();
    assert!(integers.to_string().contains("divide a day"), "{integers}");
}

#[test]
fn a_model_refuses_series_of_another_opening() {
    let panel = read(&csv(weekdays().take(60), 5), &ReadOptions::default()).unwrap();
    let options = FitOptions { horizon: Some(2), ..FitOptions::default() };
    let model = Model::fit(&ar(5), &panel, &options).unwrap().model;
    let days = read(
        &csv(weekdays().take(60), 5),
        &ReadOptions { freq: Some("D".parse().unwrap()), ..Default::default() },
    );
    let asked = ForecastOptions { horizon: 1, ..ForecastOptions::default() };
    let error = model.forecast(&days.unwrap(), &asked).unwrap_err().to_string();
    assert_eq!(error, "series \"y\" has a step of 1D, but the model was fitted on steps of 1D, Mon-Fri");
    let six = read(&csv(weekdays().take(60), 5), &opened("Mon-Sat", None)).unwrap();
    let error = model.forecast(&six, &asked).unwrap_err().to_string();
    assert!(error.contains("a step of 1D, Mon-Sat, but"), "{error}");

    let mixed =
        Panel::new(panel.channels().to_vec(), vec![panel.series()[0].clone(), six.series()[0].clone()]);
    assert!(mixed.unwrap_err().to_string().contains("1D, Mon-Sat"));
    assert_ne!(panel.frequency(), Frequency::from(panel.step()));
}
