//! scratch
#![allow(unsafe_code)]
use std::alloc::{GlobalAlloc, Layout, System};
struct A;
unsafe impl GlobalAlloc for A {
    unsafe fn alloc(&self, l: Layout) -> *mut u8 {
        if l.size() > 1 << 30 {
            panic!("HUGE ALLOC");
        }
        unsafe { System.alloc(l) }
    }
    unsafe fn dealloc(&self, p: *mut u8, l: Layout) {
        unsafe { System.dealloc(p, l) }
    }
}
#[global_allocator]
static G: A = A;
use forecast::data::*;
use forecast::*;
use ndarray::Array2;
fn idx(n: usize) -> TimeIndex {
    TimeIndex {
        start: 0,
        step: "1h".parse().unwrap(),
        zone: Default::default(),
        len: n,
    }
}
fn table(n: usize) -> Vec<(String, Cells)> {
    vec![
        (
            "unique_id".into(),
            Cells::Text((0..n).map(|i| format!("s{}", i % 2)).collect()),
        ),
        (
            "ds".into(),
            Cells::Stamps(
                (0..n as i64).map(|i| i / 2 * 3_600_000_000_000).collect(),
                Zone::Local,
            ),
        ),
        (
            "y".into(),
            Cells::Numbers((0..n).map(|i| i as f64 * 0.37).collect()),
        ),
    ]
}
#[test]
fn fuzz_files() {
    std::panic::set_hook(Box::new(|_| {}));
    let dir = std::env::temp_dir().join("lc-probe");
    std::fs::create_dir_all(&dir).unwrap();
    for (format, ext) in [(Format::Parquet, "parquet"), (Format::Arrow, "arrow")] {
        let good = encode(&table(60), format).unwrap();
        println!("{ext} {} bytes", good.len());
        let path = dir.join(format!("x.{ext}"));
        let (mut panics, mut oks, mut errs, mut internal) = (0, 0, 0, 0);
        let mut seen = std::collections::BTreeMap::<String, usize>::new();
        let mut tryit = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            match std::panic::catch_unwind(|| Panel::read(&path, &ReadOptions::default())) {
                Err(p) => {
                    panics += 1;
                    let s = p
                        .downcast_ref::<String>()
                        .cloned()
                        .or(p.downcast_ref::<&str>().map(|s| s.to_string()))
                        .unwrap_or_default();
                    *seen.entry(s.chars().take(120).collect()).or_default() += 1;
                }
                Ok(Ok(_)) => oks += 1,
                Ok(Err(e)) => {
                    errs += 1;
                    if !e.is_user_error() {
                        internal += 1;
                        *seen
                            .entry(e.to_string().chars().take(160).collect())
                            .or_default() += 1;
                    }
                }
            }
        };
        for n in 0..good.len() {
            tryit(&good[..n]);
        }
        for n in 0..good.len() {
            for bit in [0x01u8, 0x80, 0xff] {
                let mut b = good.clone();
                b[n] ^= bit;
                tryit(&b);
            }
        }
        tryit(b"not a file at all, really not, nothing like it");
        println!("{ext}: panics {panics} oks {oks} errs {errs} internal {internal} {seen:#?}");
    }
    let _ = std::panic::take_hook();
}
fn span(zone: &str, step: Step, start: &str) -> TimeIndex {
    let z = Zone::try_from(zone.to_string()).unwrap();
    let tz = if zone.is_empty() {
        jiff::tz::TimeZone::UTC
    } else {
        jiff::tz::TimeZone::get(zone).unwrap()
    };
    let dt: jiff::civil::DateTime = start.parse().unwrap();
    TimeIndex {
        start: tz.to_timestamp(dt).unwrap().as_nanosecond() as i64,
        step,
        zone: z,
        len: 400,
    }
}
#[test]
fn index() {
    for (z, s, st) in [
        ("Europe/Rome", Step::Days(1), "2023-10-01T02:30:00"),
        ("Europe/Rome", Step::Days(7), "2023-10-01T00:00:00"),
        ("Europe/Rome", Step::Days(1), "2023-10-01T00:00:00"),
        ("", Step::Months(1), "2024-01-30T00:00:00"),
        ("", Step::Months(1), "2024-01-31T00:00:00"),
        ("", Step::Months(3), "2023-11-30T00:00:00"),
        ("Pacific/Apia", Step::Days(1), "2011-12-01T00:00:00"),
        ("America/Sao_Paulo", Step::Days(1), "2010-01-01T00:00:00"),
        ("Europe/Rome", Step::Months(1), "2024-01-31T02:30:00"),
        ("Europe/Rome", Step::Months(12), "2024-02-29T00:00:00"),
        ("Australia/Lord_Howe", Step::Days(1), "2023-01-01T02:15:00"),
        ("", Step::Months(12), "2024-02-28T00:00:00"),
    ] {
        let i = span(z, s, st);
        let inv: Vec<usize> = (0..200)
            .filter(|k| i.position(i.stamp(*k)) != Some(*k))
            .collect();
        let sl: Vec<(usize, usize)> = (0..200)
            .flat_map(|a| (0..4).map(move |b| (a, b)))
            .filter(|(a, b)| i.slice(*a..400).stamp(*b) != i.stamp(a + b))
            .collect();
        println!(
            "{z} {s:?} {st}: inverse fails {:?}; slice fails {} {:?}",
            &inv[..inv.len().min(3)],
            sl.len(),
            sl.first().map(|(a, b)| (
                a,
                b,
                i.format(i.stamp(*a)),
                i.format(i.stamp(a + b)),
                i.format(i.slice(*a..400).stamp(*b))
            ))
        );
    }
}
#[test]
fn bundle() {
    for d in forecast_datasets::all().unwrap() {
        for dup in [Duplicates::Error, Duplicates::First] {
            let o = ReadOptions {
                time_column: Some(d.time_column.clone()),
                target_columns: vec![d.target.clone()],
                duplicates: dup,
                ..Default::default()
            };
            match Panel::read_csv(&d.csv().unwrap(), &d.file, &o) {
                Err(e) => println!("{}: {e}", d.name),
                Ok(p) => println!(
                    "{} rows {} step {} man {} steps {} zone {:?} obs {} {:?} notes {:?} season {} man {:?}",
                    d.name,
                    d.rows,
                    p.step(),
                    d.step,
                    p.series()[0].n_steps(),
                    p.series()[0].index().zone,
                    p.series()[0].n_observed(0),
                    p.report().counts,
                    p.report().notes.len(),
                    season_length(&p),
                    d.season_length
                ),
            }
        }
        let p = Panel::read_csv(
            &d.csv().unwrap(),
            &d.file,
            &ReadOptions {
                duplicates: Duplicates::First,
                ..Default::default()
            },
        );
        println!(
            "   {:?}",
            p.map(|p| (p.channels().len(), p.report().notes.clone()))
                .map_err(|e| e.to_string())
        );
    }
    let d = forecast_datasets::find("household-power").unwrap();
    let p = Panel::read_csv(d.bytes().unwrap(), "", &Default::default()).unwrap();
    println!(
        "{:?}",
        (0..7)
            .map(|c| p.series()[0].n_steps() - p.series()[0].n_observed(c))
            .collect::<Vec<_>>()
    );
    let _ = (idx(1), Array2::<f64>::zeros((1, 1)));
}
