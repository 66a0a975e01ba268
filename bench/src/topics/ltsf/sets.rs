//! The data sets of the protocol: horizons, split, where the files are, and what is published of them.

use std::path::{Path, PathBuf};

use forecast::data::SplitRule;
use forecast::{Panel, ReadOptions};

use crate::error::{Error, Result};

/// Name folders of data: the files themselves, or folders of them.
const FOLDER_VARIABLES: [&str; 2] = ["LONGCAST_DATA", "LONGCAST_REFERENCE"];

const HOURS: &[usize] = &[96, 192, 336, 720];
const WEEKS: &[usize] = &[24, 36, 48, 60];
/// The literature's shares.
const SHARES: SplitRule = SplitRule::Ratio { train: 0.7, validation: 0.1 };

/// A data set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set {
    pub(super) name: &'static str,
    /// As far as the test range holds them.
    pub(super) horizons: &'static [usize],
    pub(super) split: SplitRule,
    /// True if the data are part of this program; their target alone is forecast.
    is_bundled: bool,
    /// Why no published figures stand beside, if none do.
    pub(super) remark: &'static str,
}

const fn file(name: &'static str, horizons: &'static [usize], split: SplitRule, remark: &'static str) -> Set {
    Set { name, horizons, split, is_bundled: false, remark }
}

const fn bundled(name: &'static str) -> Set {
    let remark = "nothing is published by this protocol";
    Set { name, horizons: HOURS, split: SHARES, is_bundled: true, remark }
}

/// Why figures of the literature are none to stand beside.
const DROPPED: &str = "published tables drop the last incomplete batch of windows, so none is comparable";

pub(super) const SETS: [Set; 13] = [
    file("ETTh1", HOURS, SplitRule::EttMonths, ""),
    file("ETTh2", HOURS, SplitRule::EttMonths, ""),
    file("ETTm1", HOURS, SplitRule::EttMonths, DROPPED),
    file(
        "WTH",
        HOURS,
        SHARES,
        "of the tables of Informer and S4 this is the set Weather: they drop windows, and later tables of that name are of \
         another set, of 21 channels; none is comparable",
    ),
    file("exchange_rate", HOURS, SHARES, DROPPED),
    file("national_illness", WEEKS, SHARES, DROPPED),
    bundled("electricity"),
    bundled("pv"),
    bundled("household-power"),
    bundled("metro-traffic"),
    bundled("appliances"),
    bundled("cycling"),
    bundled("water-flow"),
];

/// The set of `--quick`, of 10,000 steps without a gap; it takes the shortest horizon.
pub(super) const SMALL: &str = "pv";

impl Set {
    /// The data; `None` if they are in no folder that is named.
    ///
    /// # Errors
    /// Those of the reader.
    pub(super) fn read(&self, data_dir: Option<&Path>) -> Result<Option<Panel>> {
        if self.is_bundled {
            let set = forecast_datasets::find(self.name)?;
            // Other columns are constant for months; of a second that has two rows there is their mean.
            let (target_columns, duplicates) = (vec![set.target.clone()], "mean".parse()?);
            let options = ReadOptions { target_columns, duplicates, ..ReadOptions::default() };
            return Ok(Some(Panel::read_csv(&set.csv()?, &set.file, &options)?));
        }
        match find(&format!("{}.csv", self.name), &folders(data_dir)) {
            Some(path) => Ok(Some(Panel::read(&path, &ReadOptions::default())?)),
            None => Ok(None),
        }
    }

    /// The sets of these names, in their order here; all if none is named.
    ///
    /// # Errors
    /// [`Error::Unexpected`] with the known names if one is not among them.
    pub(super) fn named(names: &[String]) -> Result<Vec<Set>> {
        let known = || SETS.map(|set| set.name);
        if let Some(unknown) = names.iter().find(|name| !known().contains(&name.as_str())) {
            let known = known().join(", ");
            return Err(Error::Unexpected(format!("no set is named \"{unknown}\"; known names: {known}")));
        }
        let is_asked = |set: &Set| names.is_empty() || names.iter().any(|name| name == set.name);
        Ok(SETS.into_iter().filter(is_asked).collect())
    }
}

/// How the folders of data are named.
pub(super) fn where_to_name() -> String {
    format!("--data-dir, {}", FOLDER_VARIABLES.join(" or "))
}

fn folders(data_dir: Option<&Path>) -> Vec<PathBuf> {
    match data_dir {
        Some(folder) => vec![folder.to_path_buf()],
        None => FOLDER_VARIABLES.iter().filter_map(std::env::var_os).map(PathBuf::from).collect(),
    }
}

/// The first file of this name in one of the folders or a folder in it, by name.
fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    folders.iter().find_map(|folder| {
        let mut within: Vec<PathBuf> = std::fs::read_dir(folder)
            .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
            .unwrap_or_default();
        within.sort();
        std::iter::once(folder).chain(&within).map(|folder| folder.join(name)).find(|path| path.is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn files_are_found_in_a_folder_and_one_below() {
        let scratch = Scratch::new("ltsf-sets").unwrap();
        let (below, name) = (scratch.folder().join("wth"), "WTH.csv");
        let folders = [scratch.folder().to_path_buf()];
        std::fs::create_dir(&below).unwrap();
        assert_eq!(find(name, &folders), None);
        std::fs::write(below.join(name), "ds,y\n").unwrap();
        assert_eq!(find(name, &folders), Some(below.join(name)));
        std::fs::write(scratch.folder().join(name), "ds,y\n").unwrap();
        assert_eq!(find(name, &folders), Some(scratch.folder().join(name)));
    }

    #[test]
    fn every_bundled_set_is_there_and_unknown_names_are_told() {
        for set in SETS.iter().filter(|set| set.is_bundled) {
            let panel = set.read(None).unwrap().unwrap();
            assert_eq!((panel.series().len(), panel.channels().len()), (1, 1), "{}", set.name);
        }
        assert_eq!(SETS.iter().filter(|set| set.is_bundled).count(), forecast_datasets::all().unwrap().len());
        assert_eq!(Set::named(&[SMALL.to_string()]).unwrap().len(), 1);
        let message = Set::named(&["ECL".to_string()]).unwrap_err().to_string();
        assert!(message.contains("\"ECL\"") && message.contains("national_illness"), "{message}");
    }
}
