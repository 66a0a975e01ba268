//! The series of the experiments: the paper's AR(3) process, one a seed, in memory and in a file for the peers.

use std::fs;
use std::path::{Path, PathBuf};

use forecast_datasets::ArProcess;

use crate::error::{Error, Result};
use crate::scratch::Scratch;

/// The paper's process, lag 1 first.
pub(super) const COEFFICIENTS: [f64; 3] = [0.2, 0.3, -0.5];
/// Steps that are fitted.
pub(super) const N_TRAINING: usize = 100_000;
/// All of them: what follows is forecast.
const N_STEPS: usize = 125_000;

/// A series of the process.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) seed: u64,
    /// The mean of the training range is taken away, for peers fit no intercept.
    pub(super) values: Vec<f64>,
    /// The training range as peers read it.
    pub(super) file: PathBuf,
}

impl Sample {
    /// The series of a seed, and its file in the scratch folder.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub(super) fn new(seed: u64, scratch: &Scratch) -> Result<Self> {
        let mut values = process(N_STEPS, seed)?;
        let mean = values[..N_TRAINING].iter().sum::<f64>() / N_TRAINING as f64;
        values.iter_mut().for_each(|value| *value -= mean);
        let file = scratch.folder().join(format!("series-{seed}.f64"));
        write(&values[..N_TRAINING], &file)?;
        Ok(Sample { seed, values, file })
    }

    pub(super) fn training(&self) -> &[f64] {
        &self.values[..N_TRAINING]
    }
}

/// Steps of the process.
pub(super) fn process(n_steps: usize, seed: u64) -> Result<Vec<f64>> {
    let process = ArProcess { coefficients: COEFFICIENTS.to_vec(), ..ArProcess::default() };
    Ok(process.generate(n_steps, seed)?)
}

/// The share of lags that the process has, for whoever is told.
pub(super) fn density(order: usize) -> f64 {
    (COEFFICIENTS.len() as f64 / order as f64).min(1.0)
}

/// 64-bit floats, one after the other.
fn write(values: &[f64], path: &Path) -> Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    fs::write(path, bytes).map_err(|error| Error::file("cannot write", path, error))
}

/// What [`write()`] wrote.
pub(super) fn read(path: &Path) -> Result<Vec<f64>> {
    let bytes = fs::read(path).map_err(|error| Error::file("cannot read", path, error))?;
    let (values, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Error::Unexpected(format!("{} does not hold 64-bit floats", path.display())));
    }
    Ok(values.iter().map(|value| f64::from_ne_bytes(*value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_has_a_file_of_its_own() {
        let scratch = Scratch::new("arnet-samples").unwrap();
        let samples = [1, 2].map(|seed| Sample::new(seed, &scratch).unwrap());
        for sample in &samples {
            assert_eq!(read(&sample.file).unwrap(), sample.training());
            assert!(sample.training().iter().sum::<f64>().abs() < 1e-6);
        }
        assert_ne!(samples[0].values, samples[1].values);
    }
}
