//! Covariates of a request: those of the model, each once, as far as the forecast reaches.

use forecast::data::{CovariateDeclaration, CovariateFlags};
use forecast::model::StepCovariates;
use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_proto::v1;
use forecast_proto::v1::stream_session_request::Payload as Ask;
use forecast_proto::v1::stream_session_response::Payload;
use longcast::server::{Reason, to_series_message};
use ndarray::s;

use crate::errors::{details, paths};
use crate::exchange::{Running, ask, check_equal, hourly_model, in_time, request, series, serve};
use crate::run::{bits, stamps, wave};
use crate::session_client::{HOUR, NEXT, Sessions, Stream, new_session, result};

const STEPS: usize = 400;
const AHEAD: usize = 24;

/// An hourly table with a temperature that is known ahead and a kind of day, of a site for networks, and a model of its first 400 rows.
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
                format!("{},{y},{},{},north\n", stamps(n)[i], temperature[i], kind[i])
            })
            .collect()
    };
    let fixed: &[&str] = if config.is_trained_once() { &["site"] } else { &[] };
    let flags = CovariateFlags {
        future_col: vec!["temperature".into(), "kind".into()],
        static_col: fixed.iter().map(ToString::to_string).collect(),
        categorical_col: [&["kind"], fixed].concat().iter().map(ToString::to_string).collect(),
        ..CovariateFlags::default()
    };
    let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
    let target_columns = vec!["y".to_string()];
    let options = ReadOptions { covariates, target_columns, ..ReadOptions::default() };
    let text = format!("ds,y,temperature,kind,site\n{}", rows(STEPS, true));
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

/// A column that never changes.
fn site() -> v1::Covariate {
    v1::Covariate { known_in_future: false, ..column("site", &[], &["north".to_string()]) }
}

#[tokio::test(flavor = "multi_thread")]
async fn covariates_reach_the_model_and_what_is_wrong_with_them_is_named() {
    check(&ModelConfig::parse("ar").unwrap().with("order", "24").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn and_so_they_reach_networks() {
    for config in networks() {
        check(&config).await;
    }
}

fn networks() -> [ModelConfig; 2] {
    let small = [("lookback", "24"), ("d_model", "4"), ("epochs", "1")];
    let with = |name: &str, more: &[(&str, &str)]| {
        small
            .iter()
            .chain(more)
            .fold(ModelConfig::parse(name).unwrap(), |config, (key, value)| config.with(key, value).unwrap())
    };
    [
        with("ssm", &[("d_state", "4")]),
        with("informer", &[("n_heads", "1"), ("d_ff", "4"), ("label_length", "12")]),
    ]
}

/// A history of 48 hours, ten hours more, and the day after them, as the library has it step by step.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_tells_a_network_the_covariates_of_each_step_and_of_those_ahead() {
    const HISTORY: usize = 48;
    const MORE: usize = 10;
    for config in networks() {
        let (model, panel, temperature, kind) = fitted(&config);
        let data = &panel.series()[0];
        let mut state = model.start(&data.slice(0..HISTORY)).unwrap();
        for at in HISTORY..HISTORY + MORE {
            let known_ahead = data.covariates().future().row(at).to_vec();
            let told = StepCovariates { past: &[], known_ahead: &known_ahead };
            model.observe_with(&mut state, &[data.values()[[at, 0]]], &told).unwrap();
        }
        let ahead = data.covariates().future().slice_move(s![HISTORY + MORE..HISTORY + MORE + AHEAD, ..]);
        model.know_ahead(&mut state, ahead).unwrap();
        let options = ForecastOptions { horizon: AHEAD, levels: vec![80.0], ..ForecastOptions::default() };
        let expected = model.forecast_from(&state, &options).unwrap();

        let running = Running::with(&[("load", &model)], &[]).await;
        let mut sessions = Sessions::new(running.channel().await);
        let columns = |steps: std::ops::Range<usize>| {
            vec![column("kind", &[], &kind[steps.clone()]), column("temperature", &temperature[steps], &[])]
        };
        let mut history = to_series_message(&data.slice(0..HISTORY));
        history.covariates = columns(0..HISTORY);
        history.covariates.push(site());
        let mut request = new_session("s");
        request.spec.as_mut().unwrap().interval_coverages = vec![0.8];
        request.history = vec![history];
        request.allow_window_reread = true;
        in_time(sessions.create_session(request)).await.unwrap();
        let (mut stream, _) = Stream::open(&mut sessions, "sessions/s", 0).await.unwrap();
        let steps = HISTORY..HISTORY + MORE;
        let batch = v1::ObservationBatch {
            first_sequence: 1,
            time_unix_nano: (0..MORE).map(|i| NEXT + i as i64 * HOUR).collect(),
            values: steps.clone().map(|at| data.values()[[at, 0]]).collect(),
            covariates: columns(steps),
            ..v1::ObservationBatch::default()
        };
        stream.observe(batch).await;
        stream.until_applied(MORE as u64).await.unwrap();
        let known_ahead = columns(HISTORY + MORE..HISTORY + MORE + AHEAD);
        let update = forecast(&mut stream, known_ahead).await;
        check_equal(result(&update), &expected);
        // Without what is known ahead there is none.
        let update = forecast(&mut stream, Vec::new()).await;
        let Some(v1::forecast_update::Outcome::Error(status)) = update.outcome else { panic!("{update:?}") };
        assert!(status.message.contains("lacks covariates"), "{status:?}");
    }
}

async fn forecast(stream: &mut Stream, known_ahead: Vec<v1::Covariate>) -> v1::ForecastUpdate {
    stream.ask(Ask::RequestForecast(v1::RequestForecast { known_ahead, ..Default::default() })).await;
    loop {
        match stream.next().await.unwrap().unwrap() {
            Payload::Update(update) => return update,
            Payload::Ack(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn check(config: &ModelConfig) {
    let (model, panel, temperature, kind) = fitted(config);
    let is_network = config.is_trained_once();
    let n_columns = if is_network { 3 } else { 2 };
    assert_eq!(model.covariate_schema().columns().len(), n_columns);
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
    message.covariates.extend(is_network.then(site));
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
    let more = format!("series.covariates[{n_columns}].name");
    check(&|all| all.push(column("wind", &temperature, &[])), invalid, &more).await;
    check(&|all| all.push(all[1].clone()), invalid, &more).await;
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
