//! A gRPC client for one forecast, as any user would write it.

use std::net::SocketAddr;

use forecast::{ForecastOptions, Series};
use forecast_proto::v1;
use forecast_proto::v1::forecast_service_client::ForecastServiceClient;
use longcast::server::to_series_message;

use super::failure::Failure;

/// Asks the server at an address for a forecast.
pub(crate) async fn forecast(
    address: SocketAddr,
    model: &str,
    history: &Series,
    options: &ForecastOptions,
) -> Result<v1::Forecast, Failure> {
    let mut client = ForecastServiceClient::connect(format!("http://{address}"))
        .await
        .map_err(|error| Failure::Internal(format!("cannot connect to {address}: {error}")))?;
    let spec = v1::ForecastSpec {
        horizon: i32::try_from(options.horizon).unwrap_or(i32::MAX),
        quantile_levels: options.quantiles.clone(),
        interval_coverages: options.levels.iter().map(|level| level / 100.0).collect(),
        ..v1::ForecastSpec::default()
    };
    let request = v1::ForecastRequest {
        model: model.to_string(),
        series: Some(to_series_message(history)),
        spec: Some(spec),
    };
    let response = client.forecast(request).await?.into_inner();
    response.forecast.ok_or_else(|| Failure::Internal("the server sent no forecast".to_string()))
}
