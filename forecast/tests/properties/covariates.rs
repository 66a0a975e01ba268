//! Covariates with a panel that is written and read again, and with one that is cut.

use forecast::data::{Cells, CovariateDeclaration, Format, decode, encode};
use forecast::{Panel, ReadOptions, Series};

use crate::random::Draws;
use crate::{bits, rows_at};

const DECLARED: &str = r#"{"covariates": {"wind": "past", "price": "future",
    "sky": {"known": "past", "kind": "categorical"}, "plan": {"known": "future", "kind": "categorical"},
    "area": "static", "region": {"known": "static", "kind": "categorical"}}}"#;
const FORMATS: [Format; 5] =
    [Format::Csv, Format::Parquet, Format::Arrow, Format::ArrowStream, Format::NdJson];

fn options() -> ReadOptions {
    ReadOptions {
        covariates: serde_json::from_str::<CovariateDeclaration>(DECLARED).unwrap(),
        target_columns: vec!["y".into(), "z".into()],
        duplicates: "mean".parse().unwrap(),
        freq: Some("1h".parse().unwrap()),
        ..ReadOptions::default()
    }
}

/// Rows of several series in any order, some absent, some twice, with gaps in every column.
fn messy(draws: &mut Draws) -> Vec<(String, Cells)> {
    let categories = ["007", "7", "a, b", "\"q\"", "Żółć", "sun"];
    let (mut ids, mut stamps) = (Vec::new(), Vec::new());
    let (mut numbers, mut texts) = (vec![Vec::new(); 5], vec![Vec::new(); 3]);
    for series in 0..draws.between(1, 4) {
        let (start, n_steps, n_ahead) = (draws.between(0, 90), draws.between(5, 40), draws.between(0, 9));
        let (area, region) = (draws.finite(), draws.one_of(&categories));
        for step in 0..n_steps + n_ahead {
            let is_kept = step < 2 || draws.chance(85);
            for _ in 0..usize::from(is_kept) + usize::from(is_kept && draws.chance(5)) {
                ids.push(format!("s{series}"));
                stamps.push((start + step) as i64 * 3_600_000_000_000);
                let is_step = step < n_steps;
                for (at, column) in numbers.iter_mut().enumerate().take(4) {
                    // Targets, wind, price; sums of them stay finite.
                    let is_there = (is_step || at > 1) && (step == 0 || draws.chance(80));
                    column.push(if is_there { draws.unit() * 1e3 - 500.0 } else { f64::NAN });
                }
                numbers[4].push(if draws.chance(50) || step == 0 { area } else { f64::NAN });
                for column in texts.iter_mut().take(2) {
                    let is_there = step == 0 || draws.chance(80);
                    column.push(if is_there { draws.one_of(&categories) } else { "" }.to_string());
                }
                texts[2].push(if draws.chance(50) || step == 0 { region } else { "NA" }.to_string());
            }
        }
    }
    let mut table = vec![
        ("item_id".to_string(), Cells::Text(ids)),
        ("timestamp".to_string(), Cells::Stamps(stamps, forecast::data::Zone::Local)),
    ];
    let names = ["y", "z", "wind", "price", "area"].map(String::from);
    table.extend(names.into_iter().zip(numbers.into_iter().map(Cells::Numbers)));
    let names = ["sky", "plan", "region"].map(String::from);
    table.extend(names.into_iter().zip(texts.into_iter().map(Cells::Text)));
    let Cells::Text(ids) = &table[0].1 else { panic!() };
    let order = draws.shuffled(ids.len());
    rows_at(&table, &order)
}

fn read(table: &[(String, Cells)], format: Format) -> Panel {
    Panel::read_bytes(&encode(table, format).unwrap(), "t", &options()).unwrap()
}

fn assert_same(a: &Series, b: &Series, case: &str) {
    assert_eq!((a.id(), a.index()), (b.id(), b.index()), "{case}");
    assert_eq!(bits(a.values()), bits(b.values()), "{case}");
    let [own, other] = [a, b].map(Series::covariates);
    assert_eq!(bits(own.past()), bits(other.past()), "{case}");
    assert_eq!(bits(own.future()), bits(other.future()), "{case}");
    assert_eq!(own.n_ahead(), other.n_ahead(), "{case}");
    assert_eq!(bits(own.static_values()), bits(other.static_values()), "{case}");
}

#[test]
fn a_regular_table_reads_back_as_the_same_panel_and_needs_no_repair() {
    for seed in 0..40 {
        let messy = messy(&mut Draws::new(seed));
        for format in FORMATS {
            let case = format!("seed {seed}, {format:?}");
            let panel = read(&messy, format);
            let bytes = encode(&panel.table(), format).unwrap();
            // A category that only a merged row had is no longer there, so the codes are those of the first panel.
            let covariate_schema = Some(panel.covariate_schema().clone());
            let by_codes =
                ReadOptions { covariates: CovariateDeclaration::default(), covariate_schema, ..options() };
            let again = Panel::read_bytes(&bytes, "t", &by_codes).unwrap();
            assert_eq!(again.covariate_schema(), panel.covariate_schema(), "{case}");
            assert_eq!(again.channels(), panel.channels(), "{case}");
            assert_eq!(again.series().len(), panel.series().len(), "{case}");
            for (a, b) in again.series().iter().zip(panel.series()) {
                assert_same(a, b, &case);
            }
            for counts in &again.report().counts {
                assert_eq!((counts.absent, counts.duplicates, counts.out_of_order), (0, 0, 0), "{case}");
            }
            // Once regular, a table is written as it was read.
            let told = Panel::read_bytes(&bytes, "t", &options()).unwrap();
            assert!(encode(&again.table(), format).unwrap() == bytes, "{case}");
            assert!(encode(&told.table(), format).unwrap() == bytes, "{case}");
        }
    }
}

#[test]
fn every_format_gives_the_same_panel() {
    for seed in 100..120 {
        let messy = messy(&mut Draws::new(seed));
        let first = read(&messy, FORMATS[0]);
        for format in &FORMATS[1..] {
            let other = read(&messy, *format);
            assert_eq!(first.covariate_schema(), other.covariate_schema());
            for (a, b) in first.series().iter().zip(other.series()) {
                assert_same(a, b, &format!("seed {seed}, {format:?}"));
            }
        }
        assert!(decode(&encode(&first.table(), FORMATS[0]).unwrap(), "t", FORMATS[0]).unwrap().len() == 10);
    }
}

#[test]
fn what_is_known_in_the_past_only_never_tells_what_follows_a_slice() {
    for seed in 200..230 {
        let mut draws = Draws::new(seed);
        let messy = messy(&mut draws);
        let panel = read(&messy, Format::Csv);
        let series = &panel.series()[0];
        let cutoff = draws.between(1, series.n_steps());
        let stamp = series.index().stamp(cutoff);
        // Everything that is not known ahead changes from the cutoff on.
        let Cells::Stamps(stamps, _) = &messy[1].1 else { panic!() };
        let changed: Vec<(String, Cells)> = messy
            .iter()
            .map(|(name, cells)| match cells {
                Cells::Numbers(values) if name == "wind" || name == "y" || name == "z" => {
                    let cell = |(v, at): (&f64, &i64)| if *at >= stamp && !v.is_nan() { v + 1e6 } else { *v };
                    (name.clone(), Cells::Numbers(values.iter().zip(stamps).map(cell).collect()))
                }
                other => (name.clone(), other.clone()),
            })
            .collect();
        let [before, after] = [series.clone(), read(&changed, Format::Csv).series()[0].clone()]
            .map(|series| series.slice(0..cutoff));
        assert_same(&before, &after, &format!("seed {seed}"));
        assert_eq!(before.covariates().past().nrows(), cutoff);
    }
}
