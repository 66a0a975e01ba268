//! The one error type of this crate.

/// What can go wrong with a bundled data set or a synthetic series.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// No data set has this name.
    #[error("no data set is named {name:?}; known names: {}", known.join(", "))]
    UnknownName {
        /// The name that was asked for.
        name: String,
        /// The names that exist, in the order of the manifest.
        known: Vec<String>,
    },

    /// The bytes of a bundled file are not those that the manifest describes.
    #[error(
        "file {file:?} must have sha256 {expected}, but has {found}; restore the file or, after a \
         deliberate change, update its entry in the manifest"
    )]
    Altered {
        /// The file's name, without a folder.
        file: String,
        /// The hash in the manifest, lower-case hexadecimal.
        expected: String,
        /// The hash of the bytes, lower-case hexadecimal.
        found: String,
    },

    /// The manifest names a file that is not part of the program.
    #[error("file {file:?} is in the manifest but not in the bundle; add it to the list of files")]
    NotBundled {
        /// The file's name, without a folder.
        file: String,
    },

    /// A stamp to be treated as missing is in no row of the file.
    #[error(
        "file {file:?} has no row stamped {stamp:?}, which `missing_at` names; stamps must be \
         written exactly as in the file"
    )]
    StampNotFound {
        /// The file's name, without a folder.
        file: String,
        /// The stamp as the manifest writes it.
        stamp: String,
    },

    /// The manifest is not valid TOML, lacks a key or has an unknown one.
    #[error("the manifest of the data sets cannot be read: {0}")]
    Manifest(#[from] toml::de::Error),

    /// Two data sets of the manifest share a name.
    #[error("the manifest names two data sets {name:?}; names must differ")]
    DuplicateName {
        /// The shared name.
        name: String,
    },

    /// The manifest does not mark exactly one data set as the default.
    #[error("exactly one data set must have `default = true`, but {n_defaults} do")]
    Defaults {
        /// How many are marked.
        n_defaults: usize,
    },

    /// The target of a data set is not one of its columns.
    #[error("data set {name:?} has target {target:?}, which is not one of its columns")]
    UnknownTarget {
        /// The data set's name.
        name: String,
        /// The target that is not a column.
        target: String,
    },

    /// A parameter of a generator is outside its range.
    #[error("{field} must be {rule}, but is {value}")]
    Parameter {
        /// The parameter's path, such as `noise_std` or `seasons[1].period`.
        field: String,
        /// The range, in words.
        rule: &'static str,
        /// The value that was given.
        value: f64,
    },

    /// The coefficients of an autoregressive process let it grow without bound.
    #[error(
        "coefficients must make a stationary process, but the partial autocorrelation at lag {lag} \
         is {value}, and only values inside (-1, 1) do; move the coefficients closer to 0"
    )]
    NotStationary {
        /// The lag at which the check failed, in steps.
        lag: usize,
        /// The partial autocorrelation at that lag.
        value: f64,
    },

    /// The series does not fit into memory.
    #[error("a series of {n_steps} steps does not fit into memory; ask for fewer steps")]
    TooLong {
        /// Steps that were asked for, including those of the burn-in.
        n_steps: usize,
    },

    /// The arithmetic left the range of finite numbers.
    #[error("the value at step {step} is not finite; use parameters of smaller size")]
    NotFinite {
        /// The first such step, counted from 0.
        step: usize,
    },
}
