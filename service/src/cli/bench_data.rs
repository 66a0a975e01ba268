//! The data of a benchmark: a file, a name that is looked for in the usual places, or a bundled data set.

use std::path::{Path, PathBuf};

use forecast::Panel;
use forecast_datasets::Dataset;

use super::args::LtsfArguments;
use super::console::Console;
use super::failure::Failure;
use super::input;

/// Names the folder that data are looked for in first.
const FOLDER_VARIABLE: &str = "LONGCAST_DATA";
/// Where else.
const FOLDERS: [&str; 3] = [".", "data", "datasets"];

/// Data that are there.
#[derive(Debug)]
pub(crate) struct Source {
    /// What the data are called in results.
    pub(crate) name: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Bundled(&'static Dataset),
}

impl Source {
    /// Finds a file by its path or its name without `.csv`, else the bundled data set of that name.
    pub(crate) fn find(name: &str, data_dir: Option<&Path>) -> Result<Self, Failure> {
        let path = Path::new(name);
        let found = |path: PathBuf| {
            let stem =
                path.file_stem().map_or_else(|| name.into(), |stem| stem.to_string_lossy().into_owned());
            Source { name: stem, place: Place::File(path) }
        };
        if path.is_file() {
            return Ok(found(path.to_path_buf()));
        }
        // What has a folder in it is a path and nothing else.
        let is_bare = path.file_name().is_some_and(|last| last == path.as_os_str());
        let folders = folders(data_dir);
        if is_bare {
            let file = if name.ends_with(".csv") { name.to_string() } else { format!("{name}.csv") };
            if let Some(path) = folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file()) {
                return Ok(found(path));
            }
            if let Ok(set) = forecast_datasets::find(name) {
                return Ok(Source { name: set.name.clone(), place: Place::Bundled(set) });
            }
        }
        Err(not_found(name, is_bare.then_some(&folders[..])))
    }

    /// The file, unless the data are part of the program.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Bundled(_) => None,
        }
    }

    /// Reads the data and says what was inferred and left out.
    pub(crate) fn read(&self, arguments: &LtsfArguments, console: &Console) -> Result<Panel, Failure> {
        match &self.place {
            Place::File(path) => input::read(path, &arguments.input, console),
            Place::Bundled(set) => {
                let panel = Panel::read_csv(&set.csv()?, &set.file, &input::read_options(&arguments.input)?)?;
                input::describe(&panel, &set.name, console);
                Ok(panel)
            }
        }
    }

    /// The channel that is forecast alone unless the user says otherwise: the data set's target, `OT` as in the
    /// literature, or the last one.
    pub(crate) fn target(&self, channels: &[String]) -> Option<String> {
        let named = match &self.place {
            Place::File(_) => "OT",
            Place::Bundled(set) => &set.target,
        };
        channels.iter().find(|channel| *channel == named).or(channels.last()).cloned()
    }
}

/// The folders that a name is looked for in, in order.
fn folders(data_dir: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = data_dir {
        return vec![folder.to_path_buf()];
    }
    let mut folders: Vec<PathBuf> =
        std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from).into_iter().collect();
    folders.extend(FOLDERS.map(PathBuf::from));
    folders
}

fn not_found(name: &str, folders: Option<&[PathBuf]>) -> Failure {
    let Some(folders) = folders else {
        return Failure::User(format!("cannot read \"{name}\": there is no such file; check the path"));
    };
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let bundled = forecast_datasets::all().unwrap_or_default();
    let bundled: Vec<&str> = bundled.iter().map(|set| set.name.as_str()).collect();
    Failure::User(format!(
        "cannot find the data \"{name}\": it is no file, no data set of the program ({}), and no .csv of that \
         name is in {}; name another folder with --data-dir or {FOLDER_VARIABLE}; the ETT files are at \
         https://github.com/zhouhaoyi/ETDataset",
        bundled.join(", "),
        folders.join(", ")
    ))
}
