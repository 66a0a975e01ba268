//! Health, reflection, bounds, cancelling and stopping.

use std::time::{Duration, Instant};

use forecast_proto::v1;
use longcast::server::to_series_message;
use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::exchange::{Running, ask, fit, hourly_model, in_time, request, series, serve};
use crate::run::{Folder, Served, hourly, wave};

#[tokio::test(flavor = "multi_thread")]
async fn health_is_serving_for_the_server_and_the_service_and_unknown_for_others() {
    let (running, _) = serve(&hourly_model()).await;
    let mut health = HealthClient::new(running.channel().await);
    let mut check = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_string() };
        in_time(health.check(request)).await.map(|response| response.into_inner().status())
    };
    assert_eq!(check("").await.unwrap(), ServingStatus::Serving);
    assert_eq!(check("longcast.v1.ForecastService").await.unwrap(), ServingStatus::Serving);
    assert_eq!(check("longcast.v1.NoService").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_watch_hears_of_the_stop_and_does_not_hold_it_up() {
    for service in ["", "longcast.v1.ForecastService"] {
        let (running, _) = serve(&hourly_model()).await;
        let mut health = HealthClient::new(running.channel().await);
        let request = HealthCheckRequest { service: service.to_string() };
        let mut watch = in_time(health.watch(request)).await.unwrap().into_inner();
        assert_eq!(in_time(watch.message()).await.unwrap().unwrap().status(), ServingStatus::Serving);
        let start = Instant::now();
        let stopped = running.stop();
        let heard = tokio::time::timeout(Duration::from_secs(5), watch.message()).await;
        let heard = heard.unwrap_or_else(|_| panic!("who watches {service:?} does not hear of the stop"));
        assert_eq!(
            heard.unwrap().map(|heard| heard.status()),
            Some(ServingStatus::NotServing),
            "{service:?}"
        );
        // A watch has no end of its own: it is no call that the server should wait for.
        in_time(stopped).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "it took {:?} to stop", start.elapsed());
    }
}

/// What reflection says to one question.
async fn reflect(running: &Running, question: MessageRequest) -> MessageResponse {
    let mut client = ServerReflectionClient::new(running.channel().await);
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let stream = client.server_reflection_info(tokio_stream::once(request));
    let mut answers = in_time(stream).await.unwrap().into_inner();
    in_time(answers.message()).await.unwrap().unwrap().message_response.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_the_services_and_describes_every_message() {
    let (running, _) = serve(&hourly_model()).await;
    let MessageResponse::ListServicesResponse(list) =
        reflect(&running, MessageRequest::ListServices(String::new())).await
    else {
        panic!("no list")
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in
        ["longcast.v1.ForecastService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]
    {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    // The details of errors are described too, for clients that decode them by name.
    for (symbol, file) in [
        ("longcast.v1.ForecastService", "longcast/v1/forecast_service.proto"),
        ("longcast.v1.Forecast", "longcast/v1/types.proto"),
        ("google.rpc.BadRequest", "error_details.proto"),
    ] {
        let question = MessageRequest::FileContainingSymbol(symbol.to_string());
        let MessageResponse::FileDescriptorResponse(files) = reflect(&running, question).await else {
            panic!("{symbol} is not described")
        };
        let described = FileDescriptorProto::decode(files.file_descriptor_proto[0].as_slice()).unwrap();
        assert!(described.name().ends_with(file), "{}", described.name());
        // Whatever it imports can be had too.
        for import in described.dependency {
            let answer = reflect(&running, MessageRequest::FileByFilename(import.clone())).await;
            assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{import}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_reflection_lists_the_service_too() {
    use tonic_reflection::pb::v1alpha;

    let (running, _) = serve(&hourly_model()).await;
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(running.channel().await);
    let question = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let stream = client.server_reflection_info(tokio_stream::once(request));
    let mut answers = in_time(stream).await.unwrap().into_inner();
    let answer = in_time(answers.message()).await.unwrap().unwrap().message_response.unwrap();
    let v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
        panic!("no list: {answer:?}")
    };
    assert!(list.service.iter().any(|service| service.name == "longcast.v1.ForecastService"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_sixteen_megabytes_is_refused_and_a_smaller_one_is_not() {
    let (_running, mut client) = serve(&hourly_model()).await;
    let sized = |n: usize| {
        let mut asked = request(&series("load", wave(24, 1)));
        asked.series.as_mut().unwrap().values = vec![1.0; n];
        asked
    };
    let status = ask(&mut client, sized((16 << 20) / 8)).await.unwrap_err();
    assert!(matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted), "{status:?}");
    ask(&mut client, sized((16 << 20) / 8 - 1000)).await.unwrap();
}

/// A mean over many steps: a history of it with one value is slow to fill, and needs no fit.
const LOOKBACK: usize = 5000;

pub(crate) fn slow_model() -> forecast::Model {
    let lookback = LOOKBACK.to_string();
    let history = wave(LOOKBACK + 2000, 1);
    fit("window-mean", &[("lookback", &lookback)], &["y"], vec![series("load", history)])
}

pub(crate) fn slow_series() -> v1::Series {
    let mut values = vec![f64::NAN; LOOKBACK];
    values[0] = 1.0;
    to_series_message(&series("load", values))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_is_finished_before_the_server_stops() {
    let (running, client) = serve(&slow_model()).await;
    let address = running.address;
    let batch = v1::BatchForecastRequest {
        series: vec![slow_series(); 20],
        spec: Some(v1::ForecastSpec { horizon: 1, ..v1::ForecastSpec::default() }),
        ..v1::BatchForecastRequest::default()
    };
    let mut answers = in_time(client.clone().batch_forecast(batch)).await.unwrap().into_inner();
    in_time(answers.message()).await.unwrap().unwrap();
    let stopped = running.stop();
    let mut n = 1;
    while in_time(answers.message()).await.unwrap().is_some() {
        n += 1;
    }
    assert_eq!(n, 20, "the stop cut the batch off");
    drop((answers, client));
    in_time(stopped).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "it still listens");
}

/// Processor time that a process has used, in seconds.
#[cfg(target_os = "linux")]
fn processor_time(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // The fields after the name, which stands in brackets: utime and stime are the 12th and 13th.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Waits until a process has used no processor time for a while.
#[cfg(target_os = "linux")]
async fn idle(id: u32) -> f64 {
    let start = Instant::now();
    let mut before = processor_time(id);
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = processor_time(id);
        if now - before < 0.015 {
            return now;
        }
        before = now;
        assert!(start.elapsed() < Duration::from_secs(60), "the server is busy for ever");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_cancelled_stops_computing() {
    let folder = Folder::new("cancel");
    folder.write("load.csv", hourly(&wave(LOOKBACK + 2000, 1)));
    folder
        .run(&format!("fit --model window-mean --lookback {LOOKBACK} load.csv -o load.longcast"))
        .succeeded();
    let served = Served::start(&folder, "load.longcast");
    let address = format!("http://{}", served.address);
    let mut client = in_time(crate::exchange::Client::connect(address)).await.unwrap();
    let batch = |n: usize| v1::BatchForecastRequest {
        series: vec![slow_series(); n],
        spec: Some(v1::ForecastSpec { horizon: 1, ..v1::ForecastSpec::default() }),
        ..v1::BatchForecastRequest::default()
    };
    let start = idle(served.id()).await;
    let mut answers = in_time(client.batch_forecast(batch(40))).await.unwrap().into_inner();
    while in_time(answers.message()).await.unwrap().is_some() {}
    let one_in_five = idle(served.id()).await - start;
    assert!(one_in_five > 0.2, "40 series took {one_in_five} s: too little to tell");

    let start = processor_time(served.id());
    let mut answers = in_time(client.batch_forecast(batch(200))).await.unwrap().into_inner();
    in_time(answers.message()).await.unwrap().unwrap();
    drop(answers);
    let used = idle(served.id()).await - start;
    assert!(used < 2.5 * one_in_five, "{used} s for a cancelled batch, {one_in_five} s for a fifth of it");
    assert_eq!(served.terminate().code(), Some(0));
}
