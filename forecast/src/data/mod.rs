//! The data layer: from a file to checked, regular, masked series, and from those to windows.
//!
//! A missing value is NaN in storage, so the values are their own mask and the two cannot disagree;
//! infinities never get past [`Panel::read`].

mod cells;
mod columns;
mod duplicates;
mod format;
mod frame;
mod panel;
mod quality;
mod read;
mod regular;
mod scaler;
mod season;
mod series;
mod split;
mod stamp;
mod step;
mod stream;
mod text;
mod time;
mod window;

pub use cells::Cells;
pub use duplicates::Duplicates;
pub use format::Format;
pub use frame::{TableWriter, decode, encode};
pub(crate) use panel::label;
pub use panel::{Panel, ReadReport, RowCounts};
pub use quality::{ChannelQuality, Quality, SeriesQuality};
pub use read::ReadOptions;
pub use regular::infer_index;
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
