//! Covariates of a request: those of the model, each once, as far as the forecast reaches.

use forecast::data::{CovariateDeclaration, CovariateFlags};
use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_proto::v1;
use longcast::server::{Reason, to_series_message};

use crate::errors::{details, paths};
use crate::exchange::{ask, hourly_model, request, series, serve};
use crate::run::{bits, stamps, wave};

const STEPS: usize = 400;
const AHEAD: usize = 24;

/// An hourly table with a temperature that is known ahead and a kind of day, and a model of its first 400 rows.
fn fitted(config: &ModelConfig) -> (Model, Panel, Vec<f64>, Vec<String>) {
    let y = wave(STEPS + AHEAD, 1);
    let temperature: Vec<f64> = (0..STEPS + AHEAD).map(|i| (i as f64 * 0.37).sin() * 5.0).collect();
    let kind: Vec<String> =
        (0..STEPS + AHEAD).map(|i| if i / 24 % 7 < 5 { "work" } else { "free" }.to_string()).collect();
    let rows = |n: usize, has_y: bool| -> String {
        (0..n)
            .map(|i| {
                let y = if has_y && i < STEPS {
                    (y[i] + 2.0 * temperature[i]).to_string()
                } else {
                    String::new()
                };
                format!("{},{y},{},{}\n", stamps(n)[i], temperature[i], kind[i])
            })
            .collect()
    };
    let flags = CovariateFlags {
        future_col: vec!["temperature".into(), "kind".into()],
        categorical_col: vec!["kind".into()],
        ..CovariateFlags::default()
    };
    let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
    let options = ReadOptions { covariates, ..ReadOptions::default() };
    let text = format!("ds,y,temperature,kind\n{}", rows(STEPS, true));
    let panel = Panel::read_csv(text.as_bytes(), "load.csv", &options).unwrap();
    let fit = FitOptions { horizon: Some(AHEAD), ..FitOptions::default() };
    let model = Model::fit(config, &panel, &fit).unwrap().model;
    (model, panel, temperature, kind)
}

fn column(name: &str, values: &[f64], categories: &[String]) -> v1::Covariate {
    v1::Covariate {
        name: name.to_string(),
        known_in_future: true,
        values: values.to_vec(),
        categories: categories.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn covariates_reach_the_model_and_what_is_wrong_with_them_is_named() {
    check(&ModelConfig::parse("ar").unwrap().with("order", "24").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_so_they_reach_networks() {
    let small = [("lookback", "24"), ("d_model", "4"), ("epochs", "1")];
    let with = |name: &str, more: &[(&str, &str)]| {
        small
            .iter()
            .chain(more)
            .fold(ModelConfig::parse(name).unwrap(), |config, (key, value)| config.with(key, value).unwrap())
    };
    check(&with("ssm", &[("d_state", "4")])).await;
    check(&with("informer", &[("n_heads", "1"), ("d_ff", "4"), ("label_length", "12")])).await;
}

async fn check(config: &ModelConfig) {
    let (model, panel, temperature, kind) = fitted(config);
    assert_eq!(model.covariate_schema().columns().len(), 2);
    let ahead: String = (STEPS..STEPS + AHEAD)
        .map(|i| format!("{},{},{}\n", stamps(STEPS + AHEAD)[i], temperature[i], kind[i]))
        .collect();
    let known = panel.clone().with_future_bytes(
        format!("ds,temperature,kind\n{ahead}").as_bytes(),
        "next.csv",
        &ReadOptions::default(),
    );
    let options = ForecastOptions { horizon: AHEAD, ..ForecastOptions::default() };
    let expected = model.forecast(&known.unwrap(), &options).unwrap().remove(0);

    let (_running, mut client) = serve(&model).await;
    let mut good = request(&series("load", wave(STEPS, 1)));
    good.spec = Some(v1::ForecastSpec { horizon: AHEAD as i32, ..v1::ForecastSpec::default() });
    let mut message = to_series_message(&panel.series()[0]);
    message.covariates = vec![column("kind", &[], &kind), column("temperature", &temperature, &[])];
    good.series = Some(message);
    let answer = ask(&mut client, good.clone()).await.unwrap();
    assert_eq!(bits(&answer.mean), bits(&expected.mean.iter().copied().collect::<Vec<_>>()));

    let check = async |change: &dyn Fn(&mut Vec<v1::Covariate>), reason: Reason, path: &str| {
        let mut asked = good.clone();
        change(&mut asked.series.as_mut().unwrap().covariates);
        let status = ask(&mut client.clone(), asked).await.expect_err(path);
        let details = details(&status, reason);
        assert_eq!(paths(&details), [path], "{status:?}");
    };
    let invalid = Reason::FieldInvalid;
    check(&|all| drop(all.pop()), invalid, "series.covariates").await;
    check(&|all| all.push(column("wind", &temperature, &[])), invalid, "series.covariates[2].name").await;
    check(&|all| all.push(all[1].clone()), invalid, "series.covariates[2].name").await;
    check(&|all| all[1].known_in_future = false, invalid, "series.covariates[1].known_in_future").await;
    check(&|all| all[1].values.truncate(STEPS - 1), invalid, "series.covariates[1].values").await;
    check(&|all| all[0].categories[7] = "feast".into(), invalid, "series.covariates[0].categories").await;
    check(&|all| all[0].values.push(1.0), invalid, "series.covariates[0]").await;
    check(&|all| all[1].values[3] = f64::INFINITY, invalid, "series.covariates[1].values").await;
    check(&|all| all[1].values.truncate(STEPS + 3), Reason::CovariatesMissing, "series.covariates").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_covariates_refuses_them() {
    let (_running, mut client) = serve(&hourly_model()).await;
    let mut asked = request(&series("load", wave(100, 1)));
    asked.series.as_mut().unwrap().covariates = vec![column("temperature", &[1.0], &[])];
    let details = details(&ask(&mut client, asked).await.unwrap_err(), Reason::FieldInvalid);
    assert_eq!(paths(&details), ["series.covariates[0].name"]);
}
