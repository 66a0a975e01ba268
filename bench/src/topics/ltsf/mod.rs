//! `ltsf`: the literature's long-horizon protocol over all data sets at hand, with the linear models' defaults: one fit
//! a set, every window of the test range scored, beside forecasts without a model and what is published.

mod scored;
mod sets;

use std::path::PathBuf;

use clap::Args;
use forecast::ModelConfig;
use forecast::eval::{Ltsf, LtsfOptions};

use super::Setting;
use crate::columns::aligned;
use crate::console;
use crate::error::{Error, Result};
use crate::record::Record;
use scored::{HEADING, Scored};
use sets::Set;

/// The models that are fitted; naive forecasts are always beside them.
const MODELS: [&str; 2] = ["ar", "ar-net"];
/// What the table has to be read with.
const REMARKS: [&str; 4] = [
    "Squared errors on values scaled by the training range, over every window of the test range; bars are on ar.",
    "published: the least that is published with every window scored; look-back and settings mostly differ by horizon.",
    "share: weights of ar-net that are not zero over those of ar.",
    "seconds: the fits of ar and of ar-net, each for all horizons.",
];

/// Which data.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LtsfArguments {
    /// The folder of the files, or of folders of them [default: those of LONGCAST_DATA and LONGCAST_REFERENCE].
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The data sets [default: all that are there].
    #[arg(long, value_name = "SET,...", value_delimiter = ',')]
    sets: Vec<String>,
}

pub(crate) fn run(setting: &Setting, arguments: &LtsfArguments) -> Result<Vec<Record>> {
    let mut sets = Set::named(&arguments.sets)?;
    if setting.is_quick && arguments.sets.is_empty() {
        sets.retain(|set| set.name == sets::SMALL);
        sets.iter_mut().for_each(|set| set.horizons = &set.horizons[..1]);
    }
    let (mut rows, mut remarks, mut records) = (vec![HEADING.map(String::from).to_vec()], vec![], vec![]);
    for set in sets {
        let Some(scored) = score(&set, arguments)? else { continue };
        rows.extend(scored.rows());
        if !set.remark.is_empty() {
            remarks.push(format!("{}: {}.", set.name, set.remark));
        }
        records.extend(scored.records());
    }
    let mut lines = aligned(&rows, |column| column > 0 && HEADING[column] != "ok");
    lines.push(String::new());
    lines.extend(REMARKS.map(String::from));
    lines.extend(remarks);
    lines.push(String::new());
    console::lines(&lines)?;
    Ok(records)
}

/// Every model on one set, at the horizons that its test range holds; `None` if it holds none, or if its file is not
/// there and was not asked for by name.
fn score(set: &Set, arguments: &LtsfArguments) -> Result<Option<Scored>> {
    let Some(panel) = set.read(arguments.data_dir.as_deref())? else {
        let missing = format!("{}.csv is in no folder that is named by {}", set.name, sets::where_to_name());
        if arguments.sets.is_empty() {
            console::note(format!("ltsf: {} left out: {missing}", set.name));
            return Ok(None);
        }
        return Err(Error::Unexpected(missing));
    };
    let options = |horizons| LtsfOptions { horizons, split: set.split, season_length: None };
    let n_test = Ltsf::new(&panel, &options(vec![1]))?.split().test.len();
    let horizons: Vec<usize> = set.horizons.iter().copied().filter(|horizon| *horizon <= n_test).collect();
    if horizons.is_empty() {
        console::note(format!(
            "ltsf: {} is left out: its test range of {n_test} steps holds no horizon",
            set.name
        ));
        return Ok(None);
    }
    let ltsf = Ltsf::new(&panel, &options(horizons.clone()))?;
    let models = MODELS.map(ModelConfig::parse).into_iter().collect::<forecast::Result<Vec<_>>>()?;
    let mut scores = Vec::new();
    for config in Ltsf::with_baselines(&models) {
        match ltsf.score(&config) {
            Ok(of_model) => scores.extend(of_model),
            // A model that cannot be fitted is a result; the data are not in question here.
            Err(reason) => console::note(format!("ltsf: {} has no {}: {reason}", set.name, config.name())),
        }
    }
    console::note(format!(
        "ltsf: {}: {} channels, season {}, horizons {horizons:?}",
        set.name,
        panel.channels().len(),
        ltsf.season_length()
    ));
    Ok(Some(Scored { name: set.name, horizons, scores }))
}
