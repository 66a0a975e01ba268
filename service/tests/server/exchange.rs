//! A server in this process, a client, and the messages between them.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use forecast::data::{Series, TimeIndex, Zone};
use forecast::{FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, Step};
use forecast_proto::v1;
use forecast_proto::v1::forecast_service_client::ForecastServiceClient;
use longcast::operation::Config;
use longcast::registry::Registry;
use longcast::server::{Server, to_series_message};
use ndarray::Array2;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::run::{bits, wave};

pub(crate) type Client = ForecastServiceClient<Channel>;

/// No exchange takes longer than this.
const LIMIT: Duration = Duration::from_secs(60);

/// The outcome of a future, which has to come in time.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("nothing came within {LIMIT:?}"))
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Running {
    /// Serves models by name on a free port.
    pub(crate) async fn start(models: &[(&str, &Model)]) -> Self {
        Self::with(models, &[]).await
    }

    /// The same with settings; `admin.port` opens the admin port.
    pub(crate) async fn with(models: &[(&str, &Model)], settings: &[(&str, &str)]) -> Self {
        let registry = Registry::in_memory(Config::default().registry);
        for (name, model) in models {
            registry.add(name, &model.to_bytes().unwrap(), "").unwrap();
        }
        Self::of(registry, &config(settings)).await
    }

    /// Serves a registry.
    pub(crate) async fn of(registry: Registry, config: &Config) -> Self {
        let server = Server::bind(config.clone(), registry).await.unwrap();
        let (address, admin) = (server.address(), server.admin_address());
        let (stop, stopped) = oneshot::channel();
        let running = server.run(async {
            let _ = stopped.await;
        });
        let server = tokio::spawn(async move { running.await.unwrap() });
        Running { address, admin, stop, server }
    }

    /// A channel to the admin port.
    pub(crate) async fn admin_channel(&self) -> Channel {
        let address = self.admin.expect("the admin port is not open");
        let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
        in_time(endpoint.connect()).await.unwrap()
    }

    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        in_time(endpoint.connect()).await.unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        ForecastServiceClient::new(self.channel().await)
    }

    /// Asks the server to stop; the handle is done when it has.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        let _ = self.stop.send(());
        self.server
    }
}

/// A configuration with a free port and some settings.
pub(crate) fn config(settings: &[(&str, &str)]) -> Config {
    let settings = settings.iter().map(|(key, value)| (*key, (*value).to_string()));
    Config::read(None, [], [("server.port", "0".to_string())].into_iter().chain(settings)).unwrap()
}

/// A server with one model named `load`, and a client of it.
pub(crate) async fn serve(model: &Model) -> (Running, Client) {
    let running = Running::start(&[("load", model)]).await;
    let client = running.client().await;
    (running, client)
}

/// An index from 2024 on.
pub(crate) fn index(step: &str, len: usize) -> TimeIndex {
    TimeIndex::new(1_704_067_200_000_000_000, step.parse().unwrap(), Zone::Local, len)
}

/// Hours of one channel.
pub(crate) fn series(id: &str, values: Vec<f64>) -> Series {
    let values = Array2::from_shape_vec((values.len(), 1), values).unwrap();
    Series::new(id, index("1h", values.nrows()), values, &["y".to_string()]).unwrap()
}

/// A model of a family with settings, fitted on series with these channels.
pub(crate) fn fit(config: &str, settings: &[(&str, &str)], channels: &[&str], series: Vec<Series>) -> Model {
    let mut config = ModelConfig::parse(config).unwrap();
    for (name, value) in settings {
        config = config.with(name, value).unwrap();
    }
    let channels = channels.iter().map(|name| (*name).to_string()).collect();
    let panel = Panel::new(channels, series).unwrap();
    let options = FitOptions { horizon: Some(24), ..FitOptions::default() };
    Model::fit(&config, &panel, &options).unwrap().model
}

/// An autoregression of 24 hours on one series.
pub(crate) fn hourly_model() -> Model {
    fit("ar", &[("order", "24")], &["y"], vec![series("load", wave(600, 1))])
}

/// A day ahead with two intervals and three quantiles.
pub(crate) fn options() -> ForecastOptions {
    ForecastOptions {
        horizon: 24,
        levels: vec![90.0, 80.0],
        quantiles: vec![0.5, 0.1, 0.9],
        ..Default::default()
    }
}

/// The same as a message.
pub(crate) fn spec() -> v1::ForecastSpec {
    v1::ForecastSpec {
        horizon: 24,
        quantile_levels: vec![0.5, 0.1, 0.9],
        interval_coverages: vec![0.9, 0.8],
        ..v1::ForecastSpec::default()
    }
}

/// A request for `load` about a history.
pub(crate) fn request(history: &Series) -> v1::ForecastRequest {
    v1::ForecastRequest {
        model: "models/load".to_string(),
        series: Some(to_series_message(history)),
        spec: Some(spec()),
    }
}

/// The forecast of an answer.
pub(crate) async fn ask(
    client: &mut Client,
    request: v1::ForecastRequest,
) -> Result<v1::Forecast, tonic::Status> {
    let response = in_time(client.forecast(request)).await?;
    Ok(response.into_inner().forecast.unwrap())
}

/// Every number of a message has the bits of the library's forecast, and all else says the same.
pub(crate) fn check_equal(message: &v1::Forecast, forecast: &Forecast) {
    let flat = |values: &Array2<f64>| bits(&values.iter().copied().collect::<Vec<_>>());
    assert_eq!(message.series_id, forecast.series);
    assert_eq!(message.channels, forecast.channels);
    assert_eq!(bits(&message.mean), flat(&forecast.mean));
    assert_eq!(message.intervals.len(), forecast.intervals.len());
    for (got, expected) in message.intervals.iter().zip(&forecast.intervals) {
        assert_eq!(got.coverage.to_bits(), (expected.level / 100.0).to_bits());
        assert_eq!(bits(&got.lower), flat(&expected.lower));
        assert_eq!(bits(&got.upper), flat(&expected.upper));
    }
    assert_eq!(message.quantiles.len(), forecast.quantiles.len());
    for (got, expected) in message.quantiles.iter().zip(&forecast.quantiles) {
        assert_eq!(got.level.to_bits(), expected.level.to_bits());
        assert_eq!(bits(&got.values), flat(&expected.values));
    }
    let warnings = message.warnings.iter().map(|w| (w.reason.as_str(), w.message.as_str()));
    let expected = forecast.warnings.iter().map(|w| (w.reason, w.message.as_str()));
    assert!(warnings.eq(expected), "{:?}", message.warnings);
    assert_eq!(regular(message.axis.as_ref()).start_unix_nano, forecast.index.start);
}

/// The regular axis, which every answer has.
pub(crate) fn regular(axis: Option<&v1::TimeAxis>) -> &v1::RegularAxis {
    match axis.and_then(|axis| axis.axis.as_ref()) {
        Some(v1::time_axis::Axis::Regular(regular)) => regular,
        None => panic!("no axis"),
    }
}

/// The axis of a request, to be changed.
pub(crate) fn regular_mut(request: &mut v1::ForecastRequest) -> &mut v1::RegularAxis {
    let axis = request.series.as_mut().and_then(|series| series.axis.as_mut());
    match axis.and_then(|axis| axis.axis.as_mut()) {
        Some(v1::time_axis::Axis::Regular(regular)) => regular,
        None => panic!("no axis"),
    }
}

/// A step of so many nanoseconds.
pub(crate) fn nanos(step: &str) -> v1::regular_axis::Step {
    match step.parse().unwrap() {
        Step::Nanos(nanos) | Step::Index(nanos) => v1::regular_axis::Step::StepNano(nanos),
        other => panic!("{other:?} is not fixed"),
    }
}
