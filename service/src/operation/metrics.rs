//! Metrics in the text format of Prometheus: counters, gauges and histograms whose label sets are bounded.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Label sets that one name may have; what comes later is counted under `other`.
const MOST_SERIES: usize = 512;
/// Upper bounds of the buckets of a histogram of times, in seconds.
const BUCKETS: [f64; 16] =
    [5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Counts up.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds some.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// What was counted.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Adds some, or takes some away.
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Sets it.
    pub fn set(&self, n: i64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Times in buckets.
#[derive(Debug, Clone, Default)]
pub struct Histogram(Arc<Times>);

#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; BUCKETS.len() + 1],
    nanos: AtomicU64,
}

impl Histogram {
    /// Counts a time.
    pub fn record(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let at = BUCKETS.partition_point(|bound| *bound < seconds);
        self.0.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.0.nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Times that were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }
}

#[derive(Debug, Clone)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

#[derive(Debug)]
struct Named {
    help: &'static str,
    kind: &'static str,
    series: BTreeMap<String, Metric>,
}

/// Every metric of a server; clones are handles to the same. Ask once for a metric and keep it: asking takes a lock,
/// counting does not.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    names: Arc<Mutex<BTreeMap<&'static str, Named>>>,
}

impl Metrics {
    /// The counter of a name and labels.
    #[must_use]
    pub fn counter(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Counter {
        match self.metric(name, help, "counter", labels, || Metric::Counter(Counter::default())) {
            Metric::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// The gauge of a name and labels.
    #[must_use]
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Gauge {
        match self.metric(name, help, "gauge", labels, || Metric::Gauge(Gauge::default())) {
            Metric::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram of a name and labels.
    #[must_use]
    pub fn histogram(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Histogram {
        match self.metric(name, help, "histogram", labels, || Metric::Histogram(Histogram::default())) {
            Metric::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    fn metric(
        &self,
        name: &'static str,
        help: &'static str,
        kind: &'static str,
        labels: &[(&str, &str)],
        make: impl FnOnce() -> Metric,
    ) -> Metric {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let named = names.entry(name).or_insert_with(|| Named { help, kind, series: BTreeMap::new() });
        let mut key = spelled(labels.iter().copied());
        if named.series.len() >= MOST_SERIES && !named.series.contains_key(&key) {
            key = spelled(labels.iter().map(|(label, _)| (*label, "other")));
        }
        named.series.entry(key).or_insert_with(make).clone()
    }

    /// Everything, as Prometheus reads it.
    #[must_use]
    pub fn render(&self) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (name, named) in names.iter() {
            // Writing to a string cannot fail, here and below.
            let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {}\n", named.help, named.kind);
            for (labels, metric) in &named.series {
                match metric {
                    Metric::Counter(counter) => line(&mut text, name, "", labels, counter.get()),
                    Metric::Gauge(gauge) => line(&mut text, name, "", labels, gauge.get()),
                    Metric::Histogram(histogram) => histogram_lines(&mut text, name, labels, histogram),
                }
            }
        }
        text
    }
}

fn histogram_lines(text: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut count = 0;
    let bounds = BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_string()]);
    for (bucket, bound) in histogram.0.buckets.iter().zip(bounds) {
        count += bucket.load(Ordering::Relaxed);
        line(text, name, "_bucket", &format!("{labels}{comma}le=\"{bound}\""), count);
    }
    let seconds = histogram.0.nanos.load(Ordering::Relaxed) as f64 / 1e9;
    line(text, name, "_sum", labels, seconds);
    line(text, name, "_count", labels, count);
}

fn line(text: &mut String, name: &str, suffix: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = match labels.is_empty() {
        true => writeln!(text, "{name}{suffix} {value}"),
        false => writeln!(text, "{name}{suffix}{{{labels}}} {value}"),
    };
}

/// `a="x",b="y"`, with what the format escapes.
fn spelled<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    labels.map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.counter("calls_total", "Calls.", &[("method", "a\"b"), ("code", "OK")]).add(3);
        metrics.gauge("open", "Open.", &[]).set(-2);
        let times = metrics.histogram("seconds", "Times.", &[("stage", "queue")]);
        times.record(Duration::from_micros(70));
        times.record(Duration::from_secs(60));
        let text = metrics.render();
        for line in [
            "# TYPE calls_total counter",
            "calls_total{method=\"a\\\"b\",code=\"OK\"} 3",
            "open -2",
            "seconds_bucket{stage=\"queue\",le=\"0.00005\"} 0",
            "seconds_bucket{stage=\"queue\",le=\"0.0001\"} 1",
            "seconds_bucket{stage=\"queue\",le=\"30\"} 1",
            "seconds_bucket{stage=\"queue\",le=\"+Inf\"} 2",
            "seconds_sum{stage=\"queue\"} 60.00007",
            "seconds_count{stage=\"queue\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn labels_that_never_end_are_counted_together() {
        let metrics = Metrics::default();
        for i in 0..2000 {
            metrics.counter("calls_total", "Calls.", &[("model", &i.to_string())]).add(1);
        }
        let text = metrics.render();
        assert_eq!(text.lines().count(), MOST_SERIES + 3);
        assert!(text.contains(&format!("calls_total{{model=\"other\"}} {}", 2000 - MOST_SERIES)), "{text}");
    }
}
