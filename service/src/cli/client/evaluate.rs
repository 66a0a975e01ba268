//! `longcast client evaluate`: a back-test on the server.

use forecast_proto::v1;
use forecast_proto::v1::evaluation_service_client::EvaluationServiceClient;
use forecast_proto::v1::training_service_client::TrainingServiceClient;

use super::connect::{Connection, refused};
use super::{train, upload, watch};
use crate::cli::args::EvaluateArguments;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::input;

pub(crate) async fn run(
    connection: &Connection,
    arguments: &EvaluateArguments,
    console: &Console,
) -> Result<(), Failure> {
    input::check_levels(&arguments.level)?;
    let transport = connection.open().await?;
    let dataset =
        upload::dataset(&mut TrainingServiceClient::new(transport.clone()), &arguments.data, console).await?;
    let models = arguments.model.iter().map(|family| train::spec(family, 0, &arguments.spec));
    let spec = v1::BacktestSpec {
        horizon: arguments.horizon,
        metrics: arguments.metric.clone(),
        n_windows: arguments.n_windows,
        step_size: arguments.step_size.unwrap_or(0),
        gap: arguments.gap,
        refit_every: arguments.refit_every.unwrap_or(0),
        interval_coverages: arguments.level.iter().map(|level| level / 100.0).collect(),
        models: models.collect::<Result<_, _>>()?,
        model: arguments.stored.clone().unwrap_or_default(),
    };
    let request = v1::CreateBacktestJobRequest {
        dataset,
        spec: Some(spec),
        request_id: arguments.spec.request_id.clone(),
        validate_only: arguments.spec.validate_only,
        ..v1::CreateBacktestJobRequest::default()
    };
    let mut client = EvaluationServiceClient::new(transport);
    let answer = client.create_backtest_job(connection.request(request)).await;
    let job = answer.map_err(|status| refused(&status))?.into_inner().backtest_job.unwrap_or_default();
    if arguments.spec.validate_only {
        console.say("the request is valid; nothing was started")?;
        return console.json(&serde_json::json!({ "valid": true }));
    }
    console.note(format!("{} is queued; longcast client watch {} sees it too", job.name, job.name));
    if arguments.spec.detach {
        console.say(&job.name)?;
        return console.json(&serde_json::json!({ "job": job.name }));
    }
    watch::run(connection, &job.name, 0, console).await
}
