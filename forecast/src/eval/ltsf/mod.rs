//! The long-horizon protocol of the literature (LTSF): one split, one fit, every window of the test range.
//!
//! Each channel is scaled by mean and standard deviation of its training range. A family is fitted on that range
//! and nothing else, and forecasts from every cutoff of the test range, one step apart. With `y` the scaled labels
//! and `f` the scaled forecasts,
//!
//! `mse = mean (y - f)^2`, `mae = mean abs(y - f)`, over all windows, steps and channels.
//!
//! Inputs reach back before the test range, labels never leave it, so horizon `h` has `test - h + 1` windows.
//! Published tables often have fewer, because the last incomplete batch was dropped. Split and scaling as in the
//! code of Zhou et al., *Informer*, 2021, [arXiv 2012.07436](https://arxiv.org/abs/2012.07436).

mod fitted;
mod protocol;
mod ranges;
mod windows;

pub use fitted::LtsfModel;
pub use protocol::{Ltsf, LtsfOptions, LtsfScore};
