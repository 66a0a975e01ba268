//! The Python server, with the weights of our model.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::work::Work;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::peer::{GRPC_SERVER, Peer};

#[derive(Debug, Serialize)]
struct Question<'a> {
    descriptors: &'a Path,
    weights: Vec<f64>,
    intercept: f64,
    center: f64,
    scale: f64,
}

#[derive(Debug, Deserialize)]
struct Answer {
    port: u16,
}

/// Starts it; it ends with the peer.
///
/// # Errors
/// Those of the peer.
pub(super) fn start(work: &Work) -> Result<(Peer, String)> {
    let descriptors = work.folder.join("descriptors.bin");
    std::fs::write(&descriptors, forecast_proto::FILE_DESCRIPTOR_SET)
        .map_err(|error| Error::file("cannot write", &descriptors, error))?;
    let (intercept, weights) = work.model.coefficients(0, 0).unwrap_or_default();
    let mut peer = Peer::start(&Python::with_packages()?, GRPC_SERVER)?;
    // Weights are those of the units of the series.
    let question = Question { descriptors: &descriptors, weights, intercept, center: 0.0, scale: 1.0 };
    let answer: Answer = peer.ask(&question)?;
    Ok((peer, format!("127.0.0.1:{}", answer.port)))
}
