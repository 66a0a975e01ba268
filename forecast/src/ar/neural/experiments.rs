//! What a trained AR-Net finds where the truth is known.

use forecast_datasets::ArProcess;

use super::{NeuralArConfig, train};
use crate::ar::{ClassicOptions, classic};
use crate::{FitOptions, Model, ModelConfig, Panel, ReadOptions};

const TRUTH: [f64; 3] = [0.2, 0.3, -0.5];

/// Of the reference code's generator: noise 0.1, less its mean; and divided by its deviation, as a fit does it.
fn series(n_steps: usize, seed: u64) -> Vec<f64> {
    let process = ArProcess { coefficients: TRUTH.to_vec(), noise_std: 0.1, ..ArProcess::default() };
    let values = process.generate(n_steps, seed).unwrap();
    let n = n_steps as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n).sqrt();
    values.iter().map(|y| (y - mean) / spread).collect()
}

/// The paper's symmetric total percentage error of coefficients.
fn stpe(found: &[f64]) -> f64 {
    let truth = TRUTH.into_iter().chain(std::iter::repeat(0.0));
    let (wrong, total) = found.iter().zip(truth).fold((0.0, 0.0), |(wrong, total), (found, truth)| {
        (wrong + (found - truth).abs(), total + found.abs() + truth.abs())
    });
    100.0 * wrong / total
}

/// The reference code's run, of which its notebook has 1.95 % for an expected density of a half; the same in PyTorch
/// has 1.1 and 1.5 % for two seeds, and 21 % without scaling, which lets lambda outgrow the errors.
#[test]
fn the_reference_run_finds_the_process() {
    let config = NeuralArConfig { order: Some(10), density: 0.3, ..NeuralArConfig::default() };
    let errors = [1, 2].map(|seed| {
        let net = train(&series(10_000, seed), &config).unwrap();
        println!("{:.4?}, losses {:.4?}", net.weights, net.losses);
        assert_eq!(net.losses.len(), 20);
        stpe(&net.weights)
    });
    println!("sTPE {errors:.2?} %");
    assert!(errors.iter().all(|error| *error <= 2.5), "{errors:?}");
}

/// Without a regulariser there is one minimum, which the paper's experiment on known orders finds by gradient.
#[test]
fn weights_come_to_those_of_least_squares() {
    let values = series(5_000, 3);
    let exact = classic(&values, 5, ClassicOptions::default()).unwrap();
    let net = train(&values, &NeuralArConfig { order: Some(5), ..NeuralArConfig::default() }).unwrap();
    let intercepts = [(&net.intercept, &exact.intercept)];
    for (ours, due) in net.weights.iter().zip(&exact.weights).chain(intercepts) {
        assert!((ours - due).abs() < 5e-3, "{:?} for {:?}", net.weights, exact.weights);
    }
}

fn fitted(settings: &[(&str, &str)], panel: &Panel, threads: usize) -> Vec<u8> {
    let mut config = ModelConfig::parse("neural-ar").unwrap();
    for (key, value) in settings {
        config = config.with(key, value).unwrap();
    }
    let options = FitOptions { horizon: Some(6), ..FitOptions::default() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| Model::fit(&config, panel, &options)).unwrap().model.to_bytes().unwrap()
}

#[test]
fn the_same_seed_has_the_same_bits_for_any_number_of_threads_and_another_seed_others() {
    let rows: String = (["a", "b"].into_iter().zip(1..))
        .flat_map(|(id, seed)| series(900, seed).into_iter().enumerate().map(move |(t, y)| (id, t, y)))
        .map(|(id, t, y)| format!("{id},{t},{y}\n"))
        .collect();
    let csv = format!("unique_id,ds,y\n{rows}");
    let panel = Panel::read_csv(csv.as_bytes(), "two.csv", &ReadOptions::default()).unwrap();
    // The first product of the second network is large enough for several threads.
    for settings in [
        &[("order", "8"), ("density", "0.5"), ("epochs", "3")][..],
        &[
            ("order", "200"),
            ("hidden", "300"),
            ("strategy", "direct"),
            ("batch_size", "128"),
            ("epochs", "2"),
        ],
        &[("order", "20"), ("hidden", "8,8"), ("pooled", "true"), ("epochs", "2")],
    ] {
        let one = fitted(settings, &panel, 1);
        assert!(one == fitted(settings, &panel, 2), "{settings:?}");
        let other = [settings, &[("seed", "2")]].concat();
        assert!(one != fitted(&other, &panel, 2), "{settings:?}");
    }
}

#[test]
fn values_that_32_bits_do_not_hold_end_the_training_with_the_series() {
    let values: Vec<f64> = series(300, 1).iter().map(|y| y * 1e30).collect();
    let config = NeuralArConfig { order: Some(3), ..NeuralArConfig::default() };
    let message = train(&values, &config).unwrap_err().to_string();
    assert!(message.starts_with("series \"the values\": the loss of batch 1 in epoch 1 is inf"), "{message}");
    let message = train(&[f64::NAN; 50], &config).unwrap_err().to_string();
    assert!(message.contains("0 complete rows"), "{message}");
}
