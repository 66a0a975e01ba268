//! `batch` calls that are refused before any work, or say what memory they lack.

use crate::refusal::{fitted, refused};

#[test]
fn what_no_run_can_do_is_refused_at_once() {
    let folder = fitted("batch-refused");
    for (arguments, parts) in [
        ("-o x.json", &["csv, tsv, parquet, arrow"][..]),
        ("-o x.xlsx", &["x.xlsx", "csv, tsv, parquet, arrow"]),
        ("-o load.csv", &["by this run already"]),
        ("-o x.csv --errors x.csv", &["by this run already"]),
        ("-o gone/x.csv", &["gone/x.csv", "make it first"]),
        ("-o x.csv --model ar,ar", &["model is ar", "once"]),
        ("-o x.csv --model arima", &["arima", "known models"]),
        ("-o x.csv --horizon 0", &["horizon is 0", "at least 1"]),
        ("-o x.csv --level 80,80", &["level is 80", "once"]),
        ("-o x.csv --level 100", &["level is 100", "between 0 and 100"]),
        ("-o x.csv --quantiles 1.5", &["quantile is 1.5"]),
        ("-o x.csv --validation 2", &["validation is 2"]),
        ("-o x.csv --season-length 0", &["season_length is 0"]),
        ("-o x.csv --series-per-part 0", &["series_per_part is 0"]),
        ("-o x.csv --model ar --order 0", &["order is 0"]),
        ("-o x.csv --model naive --order 3", &["--order"]),
        ("-o x.csv --memory-limit 32MiB", &["memory limit is 32 MiB", "at least 64 MiB"]),
        ("-o x.csv --memory-limit plenty", &["\"plenty\"", "such as 2GiB"]),
    ] {
        refused(&folder, &format!("batch load.csv {arguments}"), parts);
    }
    refused(&folder, "batch gone.parquet -o x.csv", &["gone.parquet", "check the path"]);
}

#[test]
fn a_series_that_needs_more_memory_than_it_may_take_is_named() {
    let folder = fitted("batch-memory");
    let rows: String = (0..30_000).map(|at| format!("a,{at},{}\n", at % 24)).collect();
    folder.write("long.csv", format!("unique_id,ds,y\n{rows}"));
    let parts = ["memory limit is 96 MiB", "series \"a\" of 30000 steps needs about", "--memory-limit"];
    refused(&folder, "batch long.csv --model ar --order 2000 -o x.csv --memory-limit 96MiB", &parts);
}
