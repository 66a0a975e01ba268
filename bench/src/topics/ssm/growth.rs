//! Time and memory of the forward pass of a layer against the length of its sequence.

use forecast::plot::GrowthChart;

use super::speed::D_MODEL;
use super::{LAYERS, charts, speed};
use crate::console;
use crate::error::Result;
use crate::measure::Spread;
use crate::record::Record;
use crate::topics::Setting;

const LENGTHS: [usize; 7] = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576];
/// At most, for the longest.
const MOST_MEGABYTES: f64 = 4_294.967_296;
/// How much more than `L log L` time may grow from the fourth length to the last.
const MOST_GROWTH: f64 = 1.5;
const BASE: usize = 3;

pub(super) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let lengths = if setting.is_quick { &LENGTHS[..3] } else { &LENGTHS };
    let (mut records, mut times, mut memories) = (Vec::new(), Vec::new(), Vec::new());
    for layer in LAYERS {
        let mut of_layer = Vec::new();
        for length in lengths {
            let [time, memory] = forward(layer, *length)?;
            let name = format!("{layer}_forward_L{length}");
            records.push(Record::new(&name, "ms", time));
            let record = Record::new(&format!("{name}_peak_memory"), "MB", memory);
            let is_longest = Some(length) == LENGTHS.last();
            records.push(if is_longest { record.at_most(MOST_MEGABYTES) } else { record });
            of_layer.push((*length as f64, time.median, memory.median));
        }
        if let (Some(base), Some(last), true) =
            (of_layer.get(BASE), of_layer.last(), of_layer.len() > BASE + 1)
        {
            let growth = (last.1 / base.1) / (l_log_l(last.0) / l_log_l(base.0));
            let record = Record::new(&format!("{layer}_growth_over_L_log_L"), "x", Spread::of([growth]));
            records.push(record.at_most(MOST_GROWTH));
        }
        times.push((layer.to_string(), of_layer.iter().map(|(size, time, _)| (*size, *time)).collect()));
        let memory = of_layer.iter().map(|(size, _, memory)| (*size, *memory)).filter(|(_, mb)| *mb > 0.0);
        memories.push((layer.to_string(), memory.collect()));
    }
    if let Some(folder) = charts(setting)? {
        for (file, value_label, curves) in [("time", "time (ms)", times), ("memory", "memory (MB)", memories)]
        {
            let chart = GrowthChart {
                title: format!("Forward pass of one sequence of {D_MODEL} features"),
                size_label: "steps".to_string(),
                value_label: value_label.to_string(),
                curves,
            };
            forecast::write_atomically(folder.join(format!("ssm-growth-{file}.png")), &chart.render()?)?;
        }
    }
    Ok(records)
}

fn l_log_l(length: f64) -> f64 {
    length * length.ln()
}

/// Time and memory of one sequence.
fn forward(layer: &str, length: usize) -> Result<[Spread; 2]> {
    console::note(format!("ssm: {layer} forward, {length} steps"));
    let n_runs = if length > 100_000 { 2 } else { 5 };
    let took = speed::forward(layer, length, n_runs)?;
    let time = Spread::of(took.iter().map(|took| 1e3 * took.seconds));
    Ok([time, Spread::of(took.iter().filter_map(|took| took.growth_bytes).map(|bytes| bytes / 1e6))])
}
