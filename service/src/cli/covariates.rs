//! What was typed about covariates: a TOML file, flags, or both.

use std::path::Path;

use forecast::data::{CovariateDeclaration, CovariateFlags};
use forecast::{Model, ModelConfig, Panel};

use super::args::InputArguments;
use super::console::Console;
use super::failure::Failure;

/// The covariates of a file and those of the flags.
pub(crate) fn declared(input: &InputArguments) -> Result<CovariateDeclaration, Failure> {
    let file = match &input.covariates {
        Some(path) => read(path)?,
        None => CovariateDeclaration::default(),
    };
    Ok(file.with_flags(&CovariateFlags {
        past_col: input.past_col.clone(),
        future_col: input.future_col.clone(),
        static_col: input.static_col.clone(),
        categorical_col: input.categorical_col.clone(),
    })?)
}

fn read(path: &Path) -> Result<CovariateDeclaration, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::User(format!("cannot read \"{}\": {error}; check the path", path.display()))
    })?;
    toml::from_str(&text).map_err(|error| {
        Failure::User(format!("cannot use \"{}\": {}", path.display(), error.to_string().trim_end()))
    })
}

/// Says which models of this call do not look at the covariates of a panel.
pub(crate) fn note_unused(panel: &Panel, models: &[&ModelConfig], console: &Console) {
    note_unused_columns(&names(panel), models, console);
}

/// The same of columns by their names.
pub(crate) fn note_unused_columns(columns: &[&str], models: &[&ModelConfig], console: &Console) {
    let unused = models.iter().filter(|config| !config.uses_covariates());
    note(columns, &unused.map(|config| config.name()).collect::<Vec<_>>(), console);
}

/// The same of a model that was fitted: on data with covariates, or without.
pub(crate) fn note_unused_by(panel: &Panel, model: &Model, console: &Console) {
    if model.covariate_schema().is_empty() {
        note(&names(panel), &[model.header().config.name()], console);
    }
}

fn names(panel: &Panel) -> Vec<&str> {
    panel.covariate_schema().columns().iter().map(|column| column.name.as_str()).collect()
}

fn note(names: &[&str], models: &[&str], console: &Console) {
    if names.is_empty() || models.is_empty() || console.is_json() {
        return;
    }
    let models = match models {
        [only] => format!("model {only} does"),
        several => format!("models {} do", several.join(", ")),
    };
    let known = ModelConfig::NAMES
        .into_iter()
        .filter(|name| ModelConfig::parse(name).is_ok_and(|config| config.uses_covariates()));
    console.note(format!(
        "note: covariates {} are read and checked; the {models} not use them; for forecasts that do, fit {}",
        names.join(", "),
        either(&known.collect::<Vec<_>>())
    ));
}

/// `ar, ar-net or ssm`.
fn either(names: &[&str]) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.join(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(toml: &str) -> String {
        toml::from_str::<CovariateDeclaration>(toml).unwrap_err().to_string()
    }

    #[test]
    fn typos_and_unknown_keys_are_told_with_their_line_and_the_known_words() {
        for (toml, parts) in [
            (
                "[covariates]\na = \"past\"\nb = \"futur\"\n",
                ["line 3", "futur", "`past`, `future`, `static`"],
            ),
            (
                "[covariates]\na = { known = \"past\", type = \"x\" }\n",
                ["line 2", "type", "`known`, `kind`, `unseen`"],
            ),
            (
                "[covariates]\n\n[covariates.a]\nknown = \"past\"\nkind = \"category\"\n",
                ["line 5", "category", "`numeric`"],
            ),
            ("[covariates]\na = { kind = \"numeric\" }\n", ["line 2", "missing field", "`known`"]),
            ("[covariates]\na = 3\n", ["line 2", "3", "table with `known`"]),
            ("[covariats]\na = \"past\"\n", ["line 1", "covariats", "`covariates`"]),
            ("[covariates\n", ["line 1", "covariates", "]"]),
        ] {
            let message = error(toml);
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }

    #[test]
    fn words_and_tables_are_read() {
        let declared: CovariateDeclaration = toml::from_str(
            "[covariates]\n\"t out\" = \"future\"\nregion = { known = \"static\", kind = \"categorical\", unseen = \"unknown\" }\n",
        )
        .unwrap();
        assert_eq!(declared.columns().keys().collect::<Vec<_>>(), ["region", "t out"]);
        declared.check().unwrap();
    }
}
