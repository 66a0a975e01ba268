//! The data layer: from a file to checked, regular, masked series, and from those to windows.
//!
//! A missing value is NaN in storage, so the values are their own mask and the two cannot disagree;
//! infinities never get past [`Panel::read`].

mod calendar_features;
mod covariates;
mod files;
mod grid;
mod ingest;
mod panel;
mod quality;
pub(crate) mod random;
mod scaler;
mod series;
mod table;
mod time;
mod windows;

pub(crate) use calendar_features::Cycle;
pub use calendar_features::{
    CalendarFeatures, CalendarTable, FourierTerm, Holidays, TimeFeature, TimeFeatures, calendar_positions,
};
pub use covariates::{
    CovariateColumn, CovariateDeclaration, CovariateFlags, CovariateKind, CovariateSchema, Covariates,
    DeclaredCovariate, Known, LackingSeries, MissingStamps, Unseen, Vocabulary,
};
pub(crate) use covariates::{InputColumns, InputRows, InputWidths};
pub use files::cells::Cells;
pub use files::format::Format;
pub use files::frame::{TableWriter, encode};
pub use grid::aggregate::{Aggregation, Duplicates, OutOfOrder};
pub use grid::infer::infer_index;
pub use ingest::read::{BadSeries, ReadOptions, decode};
pub use ingest::stream::{SeriesOutcome, SeriesReader};
pub(crate) use panel::label;
pub use panel::{LeftOut, Panel, ReadReport, RowCounts};
pub use quality::covariates::CovariateQuality;
pub use quality::report::{ChannelQuality, Quality, SeriesQuality};
pub use quality::season::{season_length, usual_seasons};
pub(crate) use random::mix;
pub use scaler::{Scaler, Scaling};
pub(crate) use scaler::{scale_series, sorted};
pub use series::Series;
pub use time::calendar::Calendar;
pub use time::frequency::Frequency;
pub use time::index::{Origin, TimeIndex};
pub use time::opening::Opening;
pub use time::stamp::parse_stamps;
pub use time::step::Step;
pub use time::zone::Zone;
pub use windows::batch::Batch;
pub use windows::batches::{BatchOptions, Batches};
pub use windows::exogenous::Exogenous;
pub(crate) use windows::order::Permutation;
pub use windows::order::WindowOrder;
pub use windows::split::{Split, SplitRule};
pub use windows::window::{Window, WindowSpec, Windows};
pub use windows::window_scaling::WindowScaling;
pub use windows::window_set::WindowSet;
