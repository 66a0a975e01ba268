//! A client of sessions: a stream that is written and read message by message.

use forecast_proto::v1;
use forecast_proto::v1::session_service_client::SessionServiceClient;
use forecast_proto::v1::stream_session_request::Payload as Ask;
use forecast_proto::v1::stream_session_response::Payload;
use longcast::server::to_series_message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::exchange::{in_time, series};
use crate::run::wave;

pub(crate) type Sessions = SessionServiceClient<Channel>;

pub(crate) const HOUR: i64 = 3_600_000_000_000;
/// Where [`series`] of 48 steps ends, and one step more.
pub(crate) const NEXT: i64 = 1_704_067_200_000_000_000 + 48 * HOUR;

/// A stream that is open on both sides.
#[derive(Debug)]
pub(crate) struct Stream {
    asks: Option<mpsc::Sender<v1::StreamSessionRequest>>,
    answers: Streaming<v1::StreamSessionResponse>,
}

impl Stream {
    /// Attaches to a session, without waiting for the answer.
    pub(crate) async fn attach(client: &mut Sessions, session: &str, epoch: u64) -> Result<Self, Status> {
        let (asks, receive) = mpsc::channel(1000);
        let open = v1::OpenSession { session: session.to_string(), epoch };
        asks.send(v1::StreamSessionRequest { payload: Some(Ask::Open(open)) }).await.unwrap();
        let answers = in_time(client.stream_session(ReceiverStream::new(receive))).await?.into_inner();
        Ok(Stream { asks: Some(asks), answers })
    }

    /// Attaches and takes what the server says first.
    pub(crate) async fn open(
        client: &mut Sessions,
        session: &str,
        epoch: u64,
    ) -> Result<(Self, v1::SessionOpened), Status> {
        let mut stream = Self::attach(client, session, epoch).await?;
        match stream.next().await? {
            Some(Payload::Opened(opened)) => Ok((stream, opened)),
            other => panic!("not opened: {other:?}"),
        }
    }

    pub(crate) async fn ask(&self, payload: Ask) {
        // A stream that the server has ended takes nothing.
        let _ = self.asks.as_ref().unwrap().send(v1::StreamSessionRequest { payload: Some(payload) }).await;
    }

    pub(crate) async fn observe(&self, batch: v1::ObservationBatch) {
        self.ask(Ask::Observations(batch)).await;
    }

    /// The client has nothing more to say.
    pub(crate) fn close(&mut self) {
        self.asks = None;
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Payload>, Status> {
        Ok(in_time(self.answers.message()).await?.map(|message| message.payload.unwrap()))
    }

    /// Everything up to the acknowledgement of a sequence number, and that.
    pub(crate) async fn until_applied(&mut self, through: u64) -> Result<(Vec<Payload>, v1::Ack), Status> {
        self.until(|ack| ack.applied_through >= through).await
    }

    pub(crate) async fn until(
        &mut self,
        is_it: impl Fn(&v1::Ack) -> bool,
    ) -> Result<(Vec<Payload>, v1::Ack), Status> {
        let mut before = Vec::new();
        loop {
            match self.next().await? {
                Some(Payload::Ack(ack)) if is_it(&ack) => return Ok((before, ack)),
                Some(other) => before.push(other),
                None => panic!("the stream ended before the acknowledgement: {before:?}"),
            }
        }
    }

    /// Everything to the end of the stream.
    pub(crate) async fn rest(&mut self) -> (Vec<Payload>, Option<Status>) {
        let mut rest = Vec::new();
        loop {
            match self.next().await {
                Ok(Some(payload)) => rest.push(payload),
                Ok(None) => return (rest, None),
                Err(status) => return (rest, Some(status)),
            }
        }
    }

    /// Why the server ends the stream.
    pub(crate) async fn failure(&mut self) -> Status {
        self.rest().await.1.expect("the stream ended well")
    }
}

/// A session of one series with two days behind it, which says nothing unless asked.
pub(crate) fn new_session(id: &str) -> v1::CreateSessionRequest {
    v1::CreateSessionRequest {
        session_id: id.to_string(),
        model: "models/load".to_string(),
        history: vec![to_series_message(&series("load", wave(48, 1)))],
        spec: Some(v1::ForecastSpec { horizon: 24, ..v1::ForecastSpec::default() }),
        emit: Some(v1::EmitPolicy {
            when: Some(v1::emit_policy::When::OnRequest(true)),
            ..v1::EmitPolicy::default()
        }),
        ..v1::CreateSessionRequest::default()
    }
}

/// The values of the first hours after the history.
pub(crate) fn hours(first: u64, n: usize) -> v1::ObservationBatch {
    let all = wave(48 + usize::try_from(first).unwrap() + n, 1);
    let from = 48 + usize::try_from(first).unwrap() - 1;
    v1::ObservationBatch {
        first_sequence: first,
        time_unix_nano: (0..n).map(|i| NEXT + (from - 48 + i) as i64 * HOUR).collect(),
        values: all[from..from + n].to_vec(),
        ..v1::ObservationBatch::default()
    }
}

/// The forecast of an update.
pub(crate) fn result(update: &v1::ForecastUpdate) -> &v1::Forecast {
    match update.outcome.as_ref().unwrap() {
        v1::forecast_update::Outcome::Result(forecast) => forecast,
        v1::forecast_update::Outcome::Error(status) => panic!("no forecast: {status:?}"),
    }
}

pub(crate) fn reason(status: &Status) -> String {
    use tonic_types::StatusExt;
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}
