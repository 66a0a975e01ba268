//! Covariates: columns that are not forecast themselves, known in the past only, ahead, or for ever.
//!
//! What a user says about them is a [`CovariateDeclaration`]; together with the training table it becomes a
//! [`CovariateSchema`], which a model keeps; the values of one series are [`Covariates`].

mod check_ahead;
mod declaration;
mod encode;
mod one_hot;
mod schema;
mod values;
mod vocabulary;

pub use check_ahead::MissingStamps;
pub use declaration::{
    CovariateDeclaration, CovariateFlags, CovariateKind, DeclaredCovariate, Known, Unseen,
};
pub use schema::{CovariateColumn, CovariateSchema};
pub use values::Covariates;
pub use vocabulary::Vocabulary;
