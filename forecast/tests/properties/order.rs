//! Neither the form of a file nor the order of what is in it changes a number.

use forecast::data::{Cells, Format, TimeIndex, encode};
use forecast::{Forecast, ForecastOptions, Panel, ReadOptions};
use forecast_datasets::{Season, Seasonal};

use crate::random::Draws;
use crate::{ar, bits, fit, forecast_bits, grid, long_table, panel, stamp_cells};

const IDS: [&str; 4] = ["north", "east", "south", "west"];
const HORIZON: usize = 12;

fn hours(n: usize) -> TimeIndex {
    grid("1h".parse().unwrap(), "", "2024-01-01T00:00:00", n)
}

/// A load of its own for each of the four sites, with two short gaps.
fn loads(n: usize) -> Vec<Vec<f64>> {
    let load = |seed: u64| {
        let recipe = Seasonal {
            level: 100.0 * (seed + 1) as f64,
            slope: 0.01,
            seasons: vec![Season { period: 24.0, amplitude: 20.0, phase: 0.1 * seed as f64 }],
            noise_std: 3.0,
        };
        let mut values = recipe.generate(n, seed).unwrap();
        let mut draws = Draws::new(seed);
        for _ in 0..2 {
            let at = draws.between(30, n - 40);
            values[at..at + 3].fill(f64::NAN);
        }
        values
    };
    (0..IDS.len() as u64).map(load).collect()
}

fn wide_table(index: &TimeIndex, loads: &[Vec<f64>], order: &[usize]) -> Vec<(String, Cells)> {
    let mut table = vec![("date".to_string(), stamp_cells(index, index.stamps().collect()))];
    table.extend(order.iter().map(|i| (IDS[*i].to_string(), Cells::Numbers(loads[*i].clone()))));
    table
}

fn read(table: &[(String, Cells)]) -> Panel {
    let csv = encode(table, Format::Csv).unwrap();
    Panel::read_csv(&csv, "loads.csv", &ReadOptions::default()).unwrap()
}

fn forecasts(panel: &Panel) -> Vec<Forecast> {
    let options = ForecastOptions { horizon: HORIZON, levels: vec![80.0, 95.0], ..Default::default() };
    fit(&ar(26), panel, HORIZON).forecast(panel, &options).unwrap()
}

fn long_panel(loads: &[Vec<f64>], order: &[usize]) -> Panel {
    let series: Vec<_> =
        order.iter().map(|i| (IDS[*i].to_string(), hours(loads[*i].len()), loads[*i].clone())).collect();
    panel(&series)
}

/// The means only: in long form the intervals of a series are told from the errors of all of them.
#[test]
fn wide_and_long_form_of_the_same_data_give_the_same_forecasts() {
    let loads = loads(600);
    let wide = &forecasts(&read(&wide_table(&hours(600), &loads, &[0, 1, 2, 3])))[0];
    let long = forecasts(&read(&long_table(&long_panel(&loads, &[0, 1, 2, 3]))));
    assert_eq!((wide.channels.len(), long.len()), (4, 4));
    for (column, forecast) in wide.mean.columns().into_iter().zip(&long) {
        assert_eq!(wide.index, forecast.index);
        assert_eq!(bits(column), bits(&forecast.mean), "{}", forecast.series);
    }
}

#[test]
fn the_order_of_series_changes_no_number() {
    let loads = loads(600);
    let expected = forecasts(&read(&long_table(&long_panel(&loads, &[0, 1, 2, 3]))));
    for seed in 0..5 {
        let order = Draws::new(seed).shuffled(4);
        let found = forecasts(&read(&long_table(&long_panel(&loads, &order))));
        for (forecast, i) in found.iter().zip(&order) {
            assert_eq!(forecast.series, IDS[*i]);
            assert_eq!(forecast_bits(forecast), forecast_bits(&expected[*i]), "{order:?}");
        }
    }
}

#[test]
fn the_order_of_channels_changes_no_number() {
    let loads = loads(600);
    let index = hours(600);
    let expected = &forecasts(&read(&wide_table(&index, &loads, &[0, 1, 2, 3])))[0];
    for seed in 0..5 {
        let order = Draws::new(seed).shuffled(4);
        let found = &forecasts(&read(&wide_table(&index, &loads, &order)))[0];
        for (at, i) in order.iter().enumerate() {
            assert_eq!(found.channels[at], IDS[*i]);
            assert_eq!(bits(found.mean.column(at)), bits(expected.mean.column(*i)), "{order:?}");
            for (found, expected) in found.intervals.iter().zip(&expected.intervals) {
                assert_eq!(bits(found.lower.column(at)), bits(expected.lower.column(*i)), "{order:?}");
                assert_eq!(bits(found.upper.column(at)), bits(expected.upper.column(*i)), "{order:?}");
            }
        }
    }
}

#[test]
fn a_model_finds_its_channels_in_data_whose_channels_stand_in_another_order() {
    let loads = loads(600);
    let index = hours(600);
    let fitted_on = read(&wide_table(&index, &loads, &[0, 1, 2, 3]));
    let model = fit(&ar(26), &fitted_on, HORIZON);
    let options = ForecastOptions { horizon: HORIZON, levels: vec![80.0], ..Default::default() };
    let expected = model.forecast(&fitted_on, &options).unwrap();
    let turned = model.forecast(&read(&wide_table(&index, &loads, &[2, 0, 3, 1])), &options).unwrap();
    assert_eq!(turned[0].channels, expected[0].channels);
    assert_eq!(forecast_bits(&turned[0]), forecast_bits(&expected[0]));
}

#[test]
fn repeated_fits_save_the_same_bytes() {
    let panel = long_panel(&loads(400), &[0, 1, 2, 3]);
    let bytes = || fit(&ar(8), &panel, HORIZON).to_bytes().unwrap();
    assert_eq!(bytes(), bytes());
}
