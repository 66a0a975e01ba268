//! Covariates: columns that are not forecast themselves, known in the past only, ahead, or for ever.
//!
//! What a user says about them is a [`CovariateDeclaration`]; together with the training table it becomes a
//! [`CovariateSchema`], which a model keeps; the values of one series are [`Covariates`].

mod check_ahead;
mod collect;
mod declaration;
mod encode;
mod future;
mod inputs;
mod on_grid;
mod one_hot;
mod schema;
mod values;
mod vocabulary;

pub use check_ahead::{LackingSeries, MissingStamps};
pub(super) use collect::CovariateRows;
pub use declaration::{
    CovariateDeclaration, CovariateFlags, CovariateKind, DeclaredCovariate, Known, Unseen,
};
pub(crate) use inputs::{InputColumns, InputRows, InputWidths};
pub(super) use on_grid::{OnGrid, Policy, n_rows_of_series};
pub use schema::{CovariateColumn, CovariateSchema};
pub use values::Covariates;
pub use vocabulary::Vocabulary;
