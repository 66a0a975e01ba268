//! `longcast client forecast`: the series of a file, forecast by a server.

use std::net::SocketAddr;

use forecast::data::encode;
use forecast::{Forecast, ForecastOptions, Panel, Series, table};
use forecast_proto::v1;
use forecast_proto::v1::forecast_service_client::ForecastServiceClient;
use forecast_proto::v1::model_service_client::ModelServiceClient;
use futures_util::{StreamExt, TryStreamExt, stream};
use longcast::server::to_series_message;
use ndarray::Array2;

use super::connect::{Connection, LARGEST_ANSWER, Transport, refused};
use crate::cli::args::ClientForecastArguments;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::output::{self, Outputs};
use crate::cli::{input, output as outputs};

/// Series that are asked for at a time.
const AT_A_TIME: usize = 8;

pub(crate) async fn run(
    connection: &Connection,
    arguments: &ClientForecastArguments,
    console: &Console,
) -> Result<(), Failure> {
    let format = if console.is_json() && arguments.output.is_none() && arguments.format.is_none() {
        Some("json")
    } else {
        arguments.format.as_deref()
    };
    outputs::check_table(arguments.output.as_deref(), format)?;
    outputs::check_apart(&[&arguments.data], &[arguments.output.as_deref()])?;
    input::check_levels(&arguments.spec.level)?;
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    let transport = connection.open().await?;
    let mut models = ModelServiceClient::new(transport.clone());
    let spec = spec(&arguments.spec.level, &arguments.spec.quantiles, arguments.spec.joint);
    let spec = v1::ForecastSpec { horizon: horizon(connection, &mut models, arguments).await?, ..spec };
    let forecasts = all(connection, &transport, &arguments.model, &panel, &spec).await?;
    let revision = forecasts.first().map(|(message, _)| message.model_revision.clone()).unwrap_or_default();
    for (message, _) in &forecasts {
        for warning in &message.warnings {
            console.note(format!("warning: series \"{}\": {}", message.series_id, warning.message));
        }
    }
    let family = revision_of(connection, &mut models, &revision).await?.family;
    let forecasts: Vec<Forecast> = forecasts.into_iter().map(|(_, forecast)| forecast).collect();
    let columns = table(&forecasts, &family);
    match &arguments.output {
        Some(path) => {
            let mut outputs = Outputs::default();
            outputs.add_table(path, &columns, format)?;
            outputs.write(console)
        }
        None => console.bytes(&encode(&columns, output::format(None, format)?)?),
    }
}

/// Every series of a panel, some at a time, in order.
async fn all(
    connection: &Connection,
    transport: &Transport,
    model: &str,
    panel: &Panel,
    spec: &v1::ForecastSpec,
) -> Result<Vec<(v1::Forecast, Forecast)>, Failure> {
    let calls = panel.series().iter().map(|series| {
        let mut client =
            ForecastServiceClient::new(transport.clone()).max_decoding_message_size(LARGEST_ANSWER);
        async move {
            let request = v1::ForecastRequest {
                model: model.to_string(),
                series: Some(to_series_message(series)),
                spec: Some(spec.clone()),
            };
            let answer = client.forecast(connection.request(request)).await;
            let answer = answer.map_err(|status| refused(&status))?.into_inner().forecast;
            let message =
                answer.ok_or_else(|| Failure::Internal("the server sent no forecast".to_string()))?;
            let forecast = from_message(&message, series)?;
            Ok((message, forecast))
        }
    });
    stream::iter(calls).buffered(AT_A_TIME).try_collect().await
}

/// The horizon that was typed, else the one that the model was calibrated for.
async fn horizon(
    connection: &Connection,
    models: &mut ModelServiceClient<Transport>,
    arguments: &ClientForecastArguments,
) -> Result<i32, Failure> {
    if let Some(horizon) = arguments.spec.horizon {
        return Ok(i32::try_from(horizon).unwrap_or(i32::MAX));
    }
    let revision = match arguments.model.contains("/revisions/") {
        true => arguments.model.clone(),
        false => pointed_to(connection, models, &arguments.model).await?,
    };
    Ok(revision_of(connection, models, &revision).await?.max_horizon)
}

/// The revision that most calls of a model or an alias go to.
async fn pointed_to(
    connection: &Connection,
    models: &mut ModelServiceClient<Transport>,
    name: &str,
) -> Result<String, Failure> {
    let (model, alias) = name.split_once('@').unwrap_or((name, "default"));
    let request = v1::GetModelRequest { name: model.to_string() };
    let answer = models.get_model(connection.request(request)).await.map_err(|status| refused(&status))?;
    let found = answer.into_inner().model.unwrap_or_default();
    let split = found.aliases.get(alias);
    let share = split.and_then(|split| split.shares.iter().max_by_key(|share| share.weight));
    share.map(|share| format!("{model}/revisions/{}", share.revision)).ok_or_else(|| {
        Failure::option("the model", format!("\"{name}\""), "no revision of it serves under this name")
    })
}

async fn revision_of(
    connection: &Connection,
    models: &mut ModelServiceClient<Transport>,
    name: &str,
) -> Result<v1::ModelRevision, Failure> {
    let request = v1::GetModelRevisionRequest { name: name.to_string() };
    let answer = models.get_model_revision(connection.request(request)).await;
    let answer = answer.map_err(|status| refused(&status))?.into_inner().model_revision;
    answer.ok_or_else(|| Failure::Internal("the server sent no revision".to_string()))
}

/// What is asked for, without the horizon.
pub(crate) fn spec(levels: &[f64], quantiles: &[f64], joint: bool) -> v1::ForecastSpec {
    let band = if joint { v1::IntervalBand::WholePath } else { v1::IntervalBand::EachStep };
    v1::ForecastSpec {
        horizon: 1,
        quantile_levels: quantiles.to_vec(),
        interval_coverages: levels.iter().map(|level| level / 100.0).collect(),
        interval_band: band.into(),
    }
}

/// A forecast that follows a series; every array has to have the size that belongs to it.
fn from_message(message: &v1::Forecast, series: &Series) -> Result<Forecast, Failure> {
    let n_channels = message.channels.len().max(1);
    let horizon = message.mean.len() / n_channels;
    let array = |values: &[f64]| {
        Array2::from_shape_vec((horizon, n_channels), values.to_vec()).map_err(|error| {
            Failure::Internal(format!("the server sent a forecast of another size: {error}"))
        })
    };
    let intervals = message.intervals.iter().map(|interval| {
        Ok(forecast::model::Interval {
            level: (interval.coverage * 1e11).round() / 1e9,
            lower: array(&interval.lower)?,
            upper: array(&interval.upper)?,
        })
    });
    let quantiles = message
        .quantiles
        .iter()
        .map(|path| Ok(forecast::model::QuantilePath { level: path.level, values: array(&path.values)? }));
    Ok(Forecast {
        series: message.series_id.clone(),
        index: series.index().future(horizon),
        channels: message.channels.clone(),
        mean: array(&message.mean)?,
        intervals: intervals.collect::<Result<_, Failure>>()?,
        quantiles: quantiles.collect::<Result<_, Failure>>()?,
        // They are told as they came.
        warnings: Vec::new(),
    })
}

/// Asks the server at an address for one forecast.
pub(crate) async fn ask(
    address: SocketAddr,
    model: &str,
    history: &Series,
    options: &ForecastOptions,
) -> Result<v1::Forecast, Failure> {
    let connection = Connection::plain(address)?;
    let mut client = ForecastServiceClient::new(connection.open().await?);
    let horizon = i32::try_from(options.horizon).unwrap_or(i32::MAX);
    let request = v1::ForecastRequest {
        model: model.to_string(),
        series: Some(to_series_message(history)),
        spec: Some(v1::ForecastSpec { horizon, ..spec(&options.levels, &options.quantiles, false) }),
    };
    let response = client.forecast(connection.request(request)).await;
    let response = response.map_err(|status| refused(&status))?.into_inner();
    response.forecast.ok_or_else(|| Failure::Internal("the server sent no forecast".to_string()))
}
