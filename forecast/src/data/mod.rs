//! The data layer: from a file to checked, regular, masked series, and from those to windows.
//!
//! A missing value is NaN in storage, so the values are their own mask and the two cannot disagree;
//! infinities never get past [`Panel::read`].

mod aggregate;
mod arrow;
mod batch;
mod batches;
mod business_days;
mod calendar;
mod calendar_features;
mod cells;
mod chunks;
mod civil;
mod clock;
mod collect;
mod columns;
mod covariate_quality;
mod covariates;
mod format;
mod frame;
mod frequency;
mod future;
mod gaps;
mod infer;
mod json;
mod opening;
mod order;
mod panel;
mod parquet;
mod quality;
mod read;
mod regular;
mod resample;
mod rows;
mod scaler;
mod season;
mod series;
mod source;
mod split;
mod stamp;
mod step;
mod stream;
mod table;
mod text;
mod time;
mod window;
mod window_scaling;
mod window_set;

pub use aggregate::{Aggregation, Duplicates, OutOfOrder};
pub use batch::Batch;
pub use batches::{BatchOptions, Batches};
pub use calendar::Calendar;
pub use calendar_features::{
    CalendarFeatures, CalendarTable, FourierTerm, Holidays, TimeFeature, TimeFeatures, calendar_positions,
};
pub use cells::Cells;
pub use covariate_quality::CovariateQuality;
pub use covariates::{
    CovariateColumn, CovariateDeclaration, CovariateFlags, CovariateKind, CovariateSchema, Covariates,
    DeclaredCovariate, Known, LackingSeries, MissingStamps, Unseen, Vocabulary,
};
pub use format::Format;
pub use frame::{TableWriter, encode};
pub use frequency::Frequency;
pub use infer::infer_index;
pub use opening::Opening;
pub use order::WindowOrder;
pub(crate) use panel::label;
pub use panel::{LeftOut, Panel, ReadReport, RowCounts};
pub use quality::{ChannelQuality, Quality, SeriesQuality};
pub use read::{BadSeries, ReadOptions, decode};
pub use scaler::{Scaler, Scaling};
pub(crate) use scaler::{scale_series, sorted};
pub use season::{season_length, usual_seasons};
pub use series::Series;
pub use split::{Split, SplitRule};
pub use stamp::parse_stamps;
pub use step::Step;
pub use stream::{SeriesOutcome, SeriesReader};
pub use time::{Origin, TimeIndex, Zone};
pub use window::{Window, WindowSpec, Windows};
pub use window_scaling::WindowScaling;
pub use window_set::WindowSet;
