//! Forecasts of a session, as rows of a table or as JSON, one after another.

use forecast_proto::v1;
use forecast_proto::v1::forecast_update::Outcome;
use serde_json::json;

use super::axis;
use crate::cli::console::Console;
use crate::cli::failure::Failure;

/// Writes forecasts.
#[derive(Debug)]
pub(crate) struct Updates<'a> {
    console: &'a Console,
    n_channels: usize,
    /// Whether stamps are plain whole numbers.
    pub(crate) is_integer: bool,
    has_header: bool,
}

impl<'a> Updates<'a> {
    pub(crate) fn new(console: &'a Console, n_channels: usize) -> Self {
        Updates { console, n_channels: n_channels.max(1), is_integer: false, has_header: false }
    }

    /// Writes one: a row for each step and channel, or one JSON document on a line.
    pub(crate) fn tell(&mut self, update: &v1::ForecastUpdate) -> Result<(), Failure> {
        let forecast = match &update.outcome {
            Some(Outcome::Result(forecast)) => forecast,
            Some(Outcome::Error(error)) => {
                self.console
                    .note(format!("no forecast after row {}: {}", update.as_of_sequence, error.message));
                return Ok(());
            }
            None => return Ok(()),
        };
        for warning in &forecast.warnings {
            self.console.note(format!("warning: series \"{}\": {}", forecast.series_id, warning.message));
        }
        let horizon = forecast.mean.len() / self.n_channels;
        let index = axis::index(forecast.axis.as_ref(), horizon, self.is_integer)?;
        let stamps: Vec<String> = index.stamps().map(|stamp| index.format(stamp)).collect();
        let mut columns: Vec<(String, &[f64])> = vec![("forecast".to_string(), &forecast.mean)];
        for interval in &forecast.intervals {
            let level = (interval.coverage * 1e11).round() / 1e9;
            columns.push((format!("lo-{level}"), &interval.lower));
            columns.push((format!("hi-{level}"), &interval.upper));
        }
        for path in &forecast.quantiles {
            columns.push((format!("q-{}", path.level), &path.values));
        }
        if self.console.is_json() {
            let values: serde_json::Map<String, serde_json::Value> =
                columns.iter().map(|(name, values)| (name.clone(), json!(values))).collect();
            let document = json!({
                "sequence": update.as_of_sequence,
                "unique_id": forecast.series_id,
                "ds": stamps,
                "channels": forecast.channels,
                "columns": values,
                "conflated": update.conflated_count,
                "surprise": update.surprise,
            });
            return self.console.bytes(format!("{document}\n").as_bytes());
        }
        let mut text = String::new();
        let has_channels = self.n_channels > 1;
        if !std::mem::replace(&mut self.has_header, true) {
            text += "sequence,unique_id,";
            text += if has_channels { "channel,ds" } else { "ds" };
            columns.iter().for_each(|(name, _)| text += &format!(",{name}"));
            text.push('\n');
        }
        for (step, stamp) in stamps.iter().enumerate() {
            for channel in 0..self.n_channels {
                text += &format!("{},{},", update.as_of_sequence, quoted(&forecast.series_id));
                if has_channels {
                    let name = forecast.channels.get(channel).map_or("", String::as_str);
                    text += &format!("{},", quoted(name));
                }
                text += stamp;
                for (_, values) in &columns {
                    let value = values.get(step * self.n_channels + channel).copied().unwrap_or(f64::NAN);
                    text += &format!(",{value}");
                }
                text.push('\n');
            }
        }
        self.console.bytes(text.as_bytes())
    }
}

/// A cell, in quotes where it has to be.
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_string(),
    }
}
