//! A server with a model of hours, and what its forecasts have to be.

use crate::run::{Folder, Served, Table, hourly, wave};

/// The folder with `load.csv` and `load.longcast`, the server, and the program's own forecast.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) folder: Folder,
    pub(crate) served: Served,
    /// 24 steps.
    pub(crate) mean: Vec<f64>,
    /// Of 80 percent.
    pub(crate) lower: Vec<f64>,
}

impl Setting {
    pub(crate) fn new(name: &str) -> Self {
        let folder = Folder::new(name);
        folder.write("load.csv", hourly(&wave(600, 1)));
        folder.run("fit --order 24 --horizon 24 --set pooled=true load.csv -o load.longcast").succeeded();
        let run = folder.run("forecast load.longcast load.csv --horizon 24 --level 80").succeeded();
        let table = Table::csv(run.text());
        let served = Served::start(&folder, "load.longcast");
        Setting { folder, served, mean: table.numbers("ar"), lower: table.numbers("ar-lo-80") }
    }
}

/// The numbers of a field of a JSON document.
pub(crate) fn numbers(document: &serde_json::Value) -> Vec<f64> {
    let values = document.as_array().unwrap_or_else(|| panic!("{document} is no array"));
    values.iter().map(|value| value.as_f64().unwrap()).collect()
}
