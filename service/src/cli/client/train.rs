//! `longcast client train`: data up, a revision out.

use std::collections::HashMap;
use std::time::Duration;

use forecast_proto::v1;
use forecast_proto::v1::training_service_client::TrainingServiceClient;

use super::connect::{Connection, refused};
use super::{upload, watch};
use crate::cli::args::{JobSpecArguments, TrainArguments};
use crate::cli::console::Console;
use crate::cli::failure::Failure;

pub(crate) async fn run(
    connection: &Connection,
    arguments: &TrainArguments,
    console: &Console,
) -> Result<(), Failure> {
    let mut client = TrainingServiceClient::new(connection.open().await?);
    let dataset = upload::dataset(&mut client, &arguments.data, console).await?;
    let spec = spec(&arguments.family, arguments.horizon.unwrap_or(0), &arguments.spec)?;
    let request = v1::CreateTrainingJobRequest {
        model: arguments.model.clone(),
        dataset,
        spec: Some(spec),
        request_id: arguments.spec.request_id.clone(),
        make_default: arguments.makes_default,
        validate_only: arguments.spec.validate_only,
        ..v1::CreateTrainingJobRequest::default()
    };
    let answer = client.create_training_job(connection.request(request)).await;
    let job = answer.map_err(|status| refused(&status))?.into_inner().training_job.unwrap_or_default();
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

/// What is fitted, as a message.
pub(crate) fn spec(
    family: &str,
    horizon: i32,
    arguments: &JobSpecArguments,
) -> Result<v1::TrainingSpec, Failure> {
    let time_limit = arguments.time_limit.map(|seconds| {
        let limit = Duration::try_from_secs_f64(seconds)
            .map_err(|_| Failure::option("--time-limit", seconds, "it must be seconds above 0"))?;
        Ok::<_, Failure>(prost_types::Duration {
            seconds: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(limit.subsec_nanos()).unwrap_or(0),
        })
    });
    Ok(v1::TrainingSpec {
        family: family.to_string(),
        settings: pairs("--set", &arguments.set)?,
        horizon,
        validation_share: arguments.validation.unwrap_or(0.0),
        season_length: arguments.season_length.unwrap_or(0),
        scaling: arguments.scaling.clone().unwrap_or_default(),
        seed: arguments.seed.unwrap_or(0),
        time_limit: time_limit.transpose()?,
        read_options: pairs("--read", &arguments.read)?,
    })
}

fn pairs(flag: &str, given: &[String]) -> Result<HashMap<String, String>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::option(flag, format!("\"{text}\""), "it must be name=value, for example order=168")
        })?;
        Ok((name.to_string(), value.to_string()))
    };
    given.iter().map(pair).collect()
}
