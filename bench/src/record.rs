//! What a measurement says, as a row of a table and as JSON.

use serde::Serialize;

use crate::columns::aligned;
use crate::error::Result;
use crate::measure::Spread;

/// One measured figure, beside a peer's and a bar where there are such.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record {
    name: String,
    /// The median of the runs, in `unit`; less is better, but for figures by the second.
    value: f64,
    unit: &'static str,
    /// What stands beside it, measured in the same run.
    peer: Option<String>,
    /// The peer's figure over ours, so that more is better.
    ratio: Option<f64>,
    /// The number to reach; the README says for each record whether `value` or `ratio` has to.
    bar: Option<f64>,
    /// Whether the bar is reached.
    ok: Option<bool>,
    /// Of the data or trainings that the value is the mean of; the JSON has none where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    seeds: Vec<u64>,
    #[serde(skip)]
    spread: Spread,
    #[serde(skip)]
    peer_value: Option<f64>,
    #[serde(skip)]
    rule: String,
}

impl Record {
    /// A figure with neither peer nor bar.
    pub(crate) fn new(name: &str, unit: &'static str, spread: Spread) -> Self {
        Record {
            name: name.to_string(),
            value: spread.median,
            unit,
            peer: None,
            ratio: None,
            bar: None,
            ok: None,
            seeds: Vec::new(),
            spread,
            peer_value: None,
            rule: "-".to_string(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The median of the runs.
    pub(crate) fn value(&self) -> f64 {
        self.value
    }

    /// The median of the peer's runs, if there is a peer.
    pub(crate) fn peer_value(&self) -> Option<f64> {
        self.peer_value
    }

    /// The same with a peer, in the same unit. There is no ratio to a figure of 0.
    pub(crate) fn beside(mut self, peer: &str, theirs: Spread) -> Self {
        self.peer = Some(peer.to_string());
        self.peer_value = Some(theirs.median);
        self.ratio = Some(theirs.median / self.value).filter(|ratio| ratio.is_finite());
        self
    }

    /// The same with the seeds that it is of.
    pub(crate) fn of_seeds(mut self, seeds: &[u64]) -> Self {
        self.seeds = seeds.to_vec();
        self
    }

    /// The same with the most that the value may be.
    pub(crate) fn at_most(mut self, bar: f64) -> Self {
        self.bar = Some(bar);
        self.ok = Some(self.value <= bar);
        self.rule = format!("<= {bar} {}", self.unit);
        self
    }

    /// The same with the least that the value may be, of a figure that is better the larger it is.
    pub(crate) fn at_least(mut self, bar: f64) -> Self {
        self.bar = Some(bar);
        self.ok = Some(self.value >= bar);
        self.rule = format!(">= {bar} {}", self.unit);
        self
    }

    /// The same with the least that the ratio may be; without a ratio there is nothing to reach.
    pub(crate) fn ratio_at_least(mut self, bar: f64) -> Self {
        if let Some(ratio) = self.ratio {
            self.bar = Some(bar);
            self.ok = Some(ratio >= bar);
            self.rule = format!("ratio >= {bar}");
        }
        self
    }
}

/// The records as one JSON array.
pub(crate) fn json(records: &[Record]) -> Result<String> {
    Ok(serde_json::to_string_pretty(records)? + "\n")
}

/// The records as lines of a table, its heading first and a blank line last.
pub(crate) fn table(records: &[Record]) -> Vec<String> {
    let heading = ["name", "unit", "median", "min", "max", "peer's", "ratio", "bar", "ok", "peer"];
    let mut rows = vec![heading.map(str::to_string).to_vec()];
    for record in records {
        let optional = |figure: Option<f64>| figure.map_or("-".to_string(), short);
        rows.push(vec![
            record.name.clone(),
            record.unit.to_string(),
            short(record.spread.median),
            short(record.spread.min),
            short(record.spread.max),
            optional(record.peer_value),
            optional(record.ratio),
            record.rule.clone(),
            record.ok.map_or("-", |ok| if ok { "yes" } else { "NO" }).to_string(),
            record.peer.clone().unwrap_or("-".to_string()),
        ]);
    }
    let mut lines = aligned(&rows, |column| (2..=6).contains(&column));
    lines.push(String::new());
    lines
}

/// A figure with three digits that mean something.
fn short(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(median: f64) -> Spread {
        Spread { min: median - 1.0, median, max: median + 1.0 }
    }

    #[test]
    fn json_has_the_seven_fields_and_null_where_nothing_is() {
        let alone = Record::new("windows", "ns", ran(4.0));
        let both = Record::new("start", "ms", ran(20.0)).beside("python", ran(700.0)).at_most(60.0);
        let parsed: serde_json::Value = serde_json::from_str(&json(&[alone, both]).unwrap()).unwrap();
        let expected = serde_json::json!([
            {"name": "windows", "value": 4.0, "unit": "ns", "peer": null, "ratio": null, "bar": null, "ok": null},
            {"name": "start", "value": 20.0, "unit": "ms", "peer": "python", "ratio": 35.0, "bar": 60.0, "ok": true},
        ]);
        assert_eq!(parsed, expected);
    }

    #[test]
    fn a_value_at_its_bar_is_ok_and_one_beyond_is_not() {
        assert_eq!(Record::new("a", "ms", ran(60.0)).at_most(60.0).ok, Some(true));
        assert_eq!(Record::new("a", "ms", ran(60.1)).at_most(60.0).ok, Some(false));
    }

    #[test]
    fn a_bar_on_the_ratio_needs_a_peer() {
        let record = || Record::new("a", "ms", ran(10.0));
        assert_eq!(record().beside("p", ran(9.0)).ratio_at_least(1.0).ok, Some(false));
        assert_eq!(record().beside("p", ran(10.0)).ratio_at_least(1.0).ok, Some(true));
        let alone = record().ratio_at_least(1.0);
        assert_eq!((alone.bar, alone.ok), (None, None));
        assert_eq!(Record::new("a", "MB", ran(0.0)).beside("p", ran(9.0)).ratio, None);
    }

    #[test]
    fn columns_line_up() {
        let lines = table(&[Record::new("start", "ms", ran(20.0)).beside("p", ran(700.0)).at_most(60.0)]);
        assert_eq!(lines[0], "name   unit  median   min   max  peer's  ratio  bar       ok   peer");
        assert_eq!(lines[1], "start  ms      20.0  19.0  21.0     700   35.0  <= 60 ms  yes  p");
        assert_eq!(lines.len(), 3);
    }
}
