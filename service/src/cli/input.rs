//! From arguments to what the library takes.

use std::io::Read;
use std::path::Path;

use forecast::data::{CovariateDeclaration, Frequency, Scaling, Zone};
use forecast::{Band, FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};

use super::args::{FittingArguments, InputArguments, SpecArguments};
use super::console::Console;
use super::covariates;
use super::failure::Failure;

/// Reads a panel and says what was inferred and left out.
pub(crate) fn read(path: &Path, input: &InputArguments, console: &Console) -> Result<Panel, Failure> {
    let options = read_options(input)?;
    let panel = with_future(read_quietly(path, &options, console)?, input, &options)?;
    describe(&panel, &path.display().to_string(), console);
    Ok(panel)
}

/// Reads a panel for a model. Where neither step nor opening is typed, the opening is the model's: a model of
/// business days gets them, a model of all days gets weekends without rows as missing.
pub(crate) fn read_for(
    model: &Model,
    path: &Path,
    input: &InputArguments,
    console: &Console,
) -> Result<Panel, Failure> {
    let mut options = read_options(input)?;
    let header = model.header();
    let schema = model.covariate_schema();
    if !schema.is_empty() {
        // What the model is regressed on has to be there, with the categories that it knows.
        options.covariates = CovariateDeclaration::default();
        options.covariate_schema = Some(schema);
    }
    let none_typed = input.freq.is_none() && input.open.is_none();
    if header.opening.is_some() && none_typed {
        options.freq = Some(header.step);
        options.opening = header.opening.clone();
    }
    let mut panel = read_quietly(path, &options, console)?;
    let is_of_all_days = header.opening.is_none() && panel.step() == header.step;
    if none_typed && is_of_all_days && panel.report().opening.is_some() {
        options.freq = Some(header.step);
        panel = read_quietly(path, &options, console)?;
    }
    let panel = with_future(panel, input, &options)?;
    describe(&panel, &path.display().to_string(), console);
    Ok(panel)
}

fn read_quietly(path: &Path, options: &ReadOptions, console: &Console) -> Result<Panel, Failure> {
    let _progress = console.progress(format!("reading {}", path.display()));
    Ok(match path.as_os_str() == "-" {
        true => Panel::read_bytes(&standard_input()?, "standard input", options)?,
        false => Panel::read(path, options)?,
    })
}

/// The data that a model keeps, with what `--future` knows ahead of them; `None` without that.
pub(crate) fn history_with_future(model: &Model, input: &InputArguments) -> Result<Option<Panel>, Failure> {
    if input.future.is_none() {
        return Ok(None);
    }
    with_future(model.history_panel()?, input, &read_options(input)?).map(Some)
}

/// The panel with what `--future` knows ahead.
fn with_future(panel: Panel, input: &InputArguments, options: &ReadOptions) -> Result<Panel, Failure> {
    Ok(match &input.future {
        // Its format is told from its own name.
        Some(path) => panel.with_future(path, &ReadOptions { format: None, ..options.clone() })?,
        None => panel,
    })
}

/// One line about a panel, and one for each assumption.
pub(crate) fn describe(panel: &Panel, name: &str, console: &Console) {
    if console.is_json() {
        return;
    }
    let report = panel.report();
    let how = if report.step_is_inferred { "inferred" } else { "given" };
    let n_steps: usize = panel.series().iter().map(forecast::Series::n_steps).sum();
    let n_series = panel.series().len();
    let absent: usize = report.counts.iter().map(|counts| counts.absent).sum();
    let duplicates: usize = report.counts.iter().map(|counts| counts.duplicates).sum();
    let mut line = format!(
        "{name}: {n_series} series, {} of {}, {n_steps} steps of {} ({how})",
        if panel.channels().len() == 1 { "channel" } else { "channels" },
        panel.channels().join(", "),
        report.frequency()
    );
    for (n, what) in [(absent, "absent rows masked as missing"), (duplicates, "duplicate rows merged")] {
        if n > 0 {
            line += &format!(", {n} {what}");
        }
    }
    console.note(line);
    if let Some(first) = report.left_out.first() {
        let more = match report.left_out.len() - 1 {
            0 => String::new(),
            n => format!(", and {n} more; inspect tells all"),
        };
        console.note(format!("left out: series \"{}\": {}{more}", first.unique_id, first.error));
    }
    for note in &report.notes {
        console.note(format!("note: {note}"));
    }
}

/// How to read.
pub(crate) fn read_options(input: &InputArguments) -> Result<ReadOptions, Failure> {
    let (freq, mut opening) = match &input.freq {
        Some(text) => {
            let Frequency { step, opening } = text.parse()?;
            (Some(step), opening)
        }
        None => (None, None),
    };
    if let Some(text) = &input.open {
        if let Some(opening) = opening {
            let freq = input.freq.as_deref().unwrap_or_default();
            let rule =
                format!("--freq {freq} already says {opening}; give --freq 1D or another step beside --open");
            return Err(Failure::option("--open", format!("\"{text}\""), &rule));
        }
        opening = Some(text.parse()?);
    }
    Ok(ReadOptions {
        id_column: input.id_col.clone(),
        time_column: input.time_col.clone(),
        target_columns: input.target_col.clone(),
        freq,
        opening,
        zone: input.tz.as_deref().map(Zone::named).transpose()?,
        duplicates: input.duplicates.parse()?,
        out_of_order: input.out_of_order.parse()?,
        aggregate: input.aggregate.as_deref().map(str::parse).transpose()?,
        covariates: covariates::declared(input)?,
        time_format: input.time_format.clone(),
        format: input.input_format.as_deref().map(str::parse).transpose()?,
        bad_series: input.bad_series.parse()?,
        covariate_schema: None,
    })
}

fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::User(format!("cannot read standard input: {error}")))?;
    Ok(bytes)
}

/// The configuration of a model with the settings that were typed.
///
/// `--order`, `--lookback` and `--season-length` go to the models that have such a setting; naming one that no
/// model of the call has is an error.
pub(crate) fn configs(
    models: Vec<ModelConfig>,
    fitting: &FittingArguments,
) -> Result<Vec<ModelConfig>, Failure> {
    let mut configs = models;
    if let Some(order) = fitting.order {
        configs = set_where_known(configs, &["order"], &order.to_string(), "--order")?;
    }
    if let Some(lookback) = fitting.lookback {
        // The lookback of an autoregression is its order.
        configs = set_where_known(configs, &["lookback", "order"], &lookback.to_string(), "--lookback")?;
    }
    set_all(configs, &fitting.set)
}

/// The configurations with settings `name=value` changed in all that have them.
pub(crate) fn set_all(
    mut configs: Vec<ModelConfig>,
    settings: &[String],
) -> Result<Vec<ModelConfig>, Failure> {
    // A preset fills what is left at its default: it comes before what is said beside it.
    let (presets, others): (Vec<_>, Vec<_>) = settings.iter().partition(|text| text.starts_with("preset="));
    for setting in presets.into_iter().chain(others) {
        let (key, value) = setting.split_once('=').ok_or_else(|| {
            Failure::option(
                "--set",
                format!("\"{setting}\""),
                "it must be name=value, for example pooled=true",
            )
        })?;
        configs = set_where_known(configs, &[key], value, &format!("--set {key}"))?;
    }
    Ok(configs)
}

/// The configurations with a setting changed in all that have one of `keys`; an error if none has.
pub(crate) fn set_where_known(
    configs: Vec<ModelConfig>,
    keys: &[&str],
    value: &str,
    flag: &str,
) -> Result<Vec<ModelConfig>, Failure> {
    let mut n_known = 0;
    let mut changed = Vec::with_capacity(configs.len());
    for config in configs {
        let settings = config.settings();
        match keys.iter().find(|key| settings.iter().any(|known| known == *key)) {
            Some(key) => {
                n_known += 1;
                changed.push(config.with(key, value)?);
            }
            None => changed.push(config),
        }
    }
    if n_known == 0 {
        let lists: Vec<String> = changed
            .iter()
            .map(|config| match &config.settings()[..] {
                [] => format!("{} has none", config.name()),
                known => format!("{} has {}", config.name(), known.join(", ")),
            })
            .collect();
        let rule = format!("no model of this call has the setting {}: {}", keys[0], lists.join("; "));
        return Err(Failure::option(flag, value, &rule));
    }
    Ok(changed)
}

/// A model configuration from a TOML file.
pub(crate) fn config_file(path: &Path) -> Result<ModelConfig, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::User(format!("cannot read \"{}\": {error}; check the path", path.display()))
    })?;
    let bad = |error: &dyn std::fmt::Display| {
        Failure::User(format!("cannot use \"{}\": {}", path.display(), error.to_string().trim_end()))
    };
    let table: toml::Table = toml::from_str(&text).map_err(|error| bad(&error))?;
    // The name first, so that a wrong one gets the list of names.
    let Some(name) = table.get("model").and_then(toml::Value::as_str) else {
        return Err(bad(&"it has no line such as model = \"ar\""));
    };
    ModelConfig::parse(name).map_err(|error| bad(&error))?;
    table.try_into().map_err(|error: toml::de::Error| bad(&error))
}

/// How to fit.
pub(crate) fn fit_options(
    fitting: &FittingArguments,
    horizon: Option<usize>,
    unit: &str,
) -> Result<FitOptions, Failure> {
    Ok(FitOptions {
        horizon,
        validation: fitting.validation,
        calibration_windows: fitting.calibration_windows,
        scaling: fitting.scaling.parse::<Scaling>()?,
        season_length: fitting.season_length,
        refit: !fitting.no_refit,
        unit: unit.to_string(),
        ..FitOptions::default()
    })
}

/// What to forecast with a model.
pub(crate) fn forecast_options(spec: &SpecArguments, model: &Model) -> Result<ForecastOptions, Failure> {
    check_levels(&spec.level)?;
    check_distinct("--quantiles", &spec.quantiles)?;
    Ok(ForecastOptions {
        horizon: spec.horizon.unwrap_or(model.header().horizon),
        levels: spec.level.clone(),
        quantiles: spec.quantiles.clone(),
        band: if spec.joint { Band::WholePath } else { Band::EachStep },
    })
}

/// Refuses levels that no interval has, before any work is done.
pub(crate) fn check_levels(levels: &[f64]) -> Result<(), Failure> {
    if let Some(level) = levels.iter().find(|level| !(**level > 0.0 && **level < 100.0)) {
        return Err(Failure::option("level", level, "it must lie between 0 and 100 percent, both excluded"));
    }
    check_distinct("--level", levels)
}

/// Each becomes columns of its own, so none may be asked for twice.
fn check_distinct(flag: &str, values: &[f64]) -> Result<(), Failure> {
    let repeated = values.iter().enumerate().find(|(at, value)| values[..*at].contains(value));
    match repeated {
        Some((_, value)) => Err(Failure::option(flag, value, "each may be asked for once")),
        None => Ok(()),
    }
}
