//! `longcast client session`: rows in, forecasts out.
//!
//! Row `k` of the stream has sequence number `k`. Rows that a crash could lose are kept, and sent again after a lost
//! connection from where the server says that it is.

use std::collections::VecDeque;
use std::io::BufReader;
use std::time::{Duration, Instant};

use forecast_proto::v1;
use forecast_proto::v1::session_service_client::SessionServiceClient;
use forecast_proto::v1::stream_session_request::Payload;
use forecast_proto::v1::stream_session_response::Payload as Answer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::connect::{Connection, LARGEST_ANSWER, may_be_retried, refused};
use super::rows::{Row, Rows};
use super::updates::Updates;
use crate::cli::args::SessionArguments;
use crate::cli::console::Console;
use crate::cli::failure::Failure;

/// Rows that are read ahead of the network.
const READ_AHEAD: usize = 1_024;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// After the last row everything has to be acknowledged within this time.
const LAST_WAIT: Duration = Duration::from_secs(60);

pub(crate) async fn run(
    connection: &Connection,
    arguments: &SessionArguments,
    console: &Console,
) -> Result<(), Failure> {
    let session = super::sessions::create(connection, arguments, console).await?;
    let rows = read_on_a_thread(arguments, &session)?;
    let mut pipe = Pipe {
        connection,
        arguments,
        updates: Updates::new(console, session.channels.len()),
        console,
        name: session.name.clone(),
        rows,
        kept: VecDeque::new(),
        first_kept: 1,
        next_row: if arguments.continues { session.next_sequence.max(1) } else { 1 },
        sent: 0,
        acknowledged: 0,
        is_at_end: false,
    };
    pipe.first_kept = pipe.next_row;
    let mut lost = None::<Instant>;
    let mut wait = FIRST_WAIT;
    loop {
        let before = pipe.first_kept;
        let status = match pipe.stream().await {
            Ok(()) => return Ok(()),
            Err(Ended::Failed(failure)) => return Err(failure),
            Err(Ended::Lost(status)) => status,
        };
        if pipe.first_kept > before {
            (lost, wait) = (None, FIRST_WAIT);
        }
        let since = *lost.get_or_insert_with(Instant::now);
        if !may_be_retried(&status) || since.elapsed().as_secs_f64() > arguments.retry_for {
            return Err(refused(&status));
        }
        console.note(format!("the connection is lost ({}); trying again", status.message()));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Why a stream ended before everything was acknowledged.
enum Ended {
    Lost(Status),
    Failed(Failure),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Ended::Lost(status)
    }
}

type Read = Result<(Row, bool), Failure>;

struct Pipe<'a> {
    connection: &'a Connection,
    arguments: &'a SessionArguments,
    console: &'a Console,
    updates: Updates<'a>,
    name: String,
    rows: mpsc::Receiver<Read>,
    /// Rows from `first_kept` on.
    kept: VecDeque<Row>,
    first_kept: u64,
    /// The number of the next row that is read.
    next_row: u64,
    /// The number of the last row that this stream has sent, or passed over.
    sent: u64,
    /// The number of the last row that is safe.
    acknowledged: u64,
    is_at_end: bool,
}

/// What the server told when the stream was opened.
struct Opened {
    is_durable: bool,
    largest_batch: usize,
    most_on_their_way: u64,
}

impl Pipe<'_> {
    /// One stream, from the opening to the end of the input or of the connection.
    async fn stream(&mut self) -> Result<(), Ended> {
        let transport = match self.connection.open().await {
            Ok(transport) => transport,
            Err(Failure::User(message)) => return Err(Status::unavailable(message).into()),
            Err(failure) => return Err(failure.into()),
        };
        let mut client = SessionServiceClient::new(transport).max_decoding_message_size(LARGEST_ANSWER);
        let (send, requests) = mpsc::channel(4);
        let open = v1::OpenSession { session: self.name.clone(), epoch: 0 };
        // There is room for the first message.
        let _ = send.send(message(Payload::Open(open))).await;
        let mut answers = client.stream_session(ReceiverStream::new(requests)).await?.into_inner();
        let opened = self.opened(answers.message().await?)?;
        loop {
            if self.is_at_end && self.sent + 1 >= self.next_row {
                return self.finish(send, answers, &opened).await;
            }
            let may_send = self.sent - self.acknowledged < opened.most_on_their_way;
            let has_rows = self.sent + 1 < self.next_row;
            // Answers are read whatever is to be sent: a server that waits for its reader takes no rows.
            tokio::select! {
                biased;
                answer = answers.message() => self.take(answer?, &opened)?,
                room = send.reserve(), if may_send && has_rows => {
                    let room = room.map_err(|_| Status::unavailable("the connection is closed"))?;
                    room.send(message(Payload::Observations(self.next_rows(&opened))));
                }
                row = self.rows.recv(), if may_send && !has_rows && !self.is_at_end => match row {
                    Some(row) => self.keep_all(row?, &opened)?,
                    None => self.is_at_end = true,
                },
            }
        }
    }

    /// What the first answer says; rows that the session has are passed over.
    fn opened(&mut self, answer: Option<v1::StreamSessionResponse>) -> Result<Opened, Ended> {
        let Some(Answer::Opened(opened)) = answer.and_then(|answer| answer.payload) else {
            return Err(Status::unavailable("the server did not open the stream").into());
        };
        let next = opened.next_sequence.max(1);
        if next < self.first_kept {
            let what = format!(
                "{} goes on at row {next}, but rows before {} are not kept any more: the server has lost what it \
                 acknowledged, or another session has this name now",
                self.name, self.first_kept
            );
            return Err(Failure::User(what).into());
        }
        (self.sent, self.acknowledged) = (next - 1, next - 1);
        let session = opened.session.unwrap_or_default();
        let count = |n: i32, usual: usize| usize::try_from(n).ok().filter(|n| *n > 0).unwrap_or(usual);
        Ok(Opened {
            is_durable: session.durability() != v1::Durability::Memory,
            largest_batch: count(opened.max_batch_observations, 512).min(self.arguments.batch.max(1)),
            most_on_their_way: count(opened.max_unacked_observations, 4_096) as u64,
        })
    }

    /// The next rows that are to be sent.
    fn next_rows(&mut self, opened: &Opened) -> v1::ObservationBatch {
        let from = usize::try_from(self.sent + 1 - self.first_kept).unwrap_or(usize::MAX);
        let rows: Vec<&Row> = self.kept.iter().skip(from).take(opened.largest_batch).collect();
        let batch = v1::ObservationBatch {
            first_sequence: self.sent + 1,
            series_index: rows.iter().map(|row| row.series).collect(),
            time_unix_nano: rows.iter().map(|row| row.time).collect(),
            values: rows.iter().flat_map(|row| row.values.iter().copied()).collect(),
            covariates: Vec::new(),
        };
        self.sent += rows.len() as u64;
        batch
    }

    /// Takes a row that was read, and those that have been read meanwhile, for one batch.
    fn keep_all(&mut self, first: (Row, bool), opened: &Opened) -> Result<(), Failure> {
        self.keep(first);
        for _ in 1..opened.largest_batch {
            match self.rows.try_recv() {
                Ok(row) => self.keep(row?),
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Takes a row that was read.
    fn keep(&mut self, (row, is_integer): (Row, bool)) {
        self.updates.is_integer = is_integer;
        self.kept.push_back(row);
        self.next_row += 1;
        // What the session had before this run is not sent.
        if self.next_row <= self.sent + 1 {
            self.forget(self.next_row - 1);
        }
    }

    /// Forgets rows up to a number.
    fn forget(&mut self, through: u64) {
        while self.first_kept <= through && self.kept.pop_front().is_some() {
            self.first_kept += 1;
        }
    }

    fn take(&mut self, answer: Option<v1::StreamSessionResponse>, opened: &Opened) -> Result<(), Ended> {
        let Some(answer) = answer else {
            return Err(Status::unavailable("the server ended the stream").into());
        };
        match answer.payload {
            Some(Answer::Ack(ack)) => {
                let safe = if opened.is_durable { ack.durable_through } else { ack.applied_through };
                self.acknowledged = self.acknowledged.max(safe);
                self.forget(safe);
                Ok(())
            }
            Some(Answer::Update(update)) => Ok(self.updates.tell(&update)?),
            Some(Answer::ObservationError(error)) => {
                let status = error.status.unwrap_or_default();
                let count =
                    if error.count > 1 { format!(" and {} more", error.count - 1) } else { String::new() };
                self.console.note(format!("row {}{count}: {}", error.sequence, status.message));
                Ok(())
            }
            Some(Answer::Draining(_)) => {
                self.console.note("the server is about to stop");
                Ok(())
            }
            Some(Answer::Opened(_)) | None => Ok(()),
        }
    }

    /// Waits until the last row is safe, and for the forecasts that are still to come.
    async fn finish(
        &mut self,
        send: mpsc::Sender<v1::StreamSessionRequest>,
        mut answers: Streaming<v1::StreamSessionResponse>,
        opened: &Opened,
    ) -> Result<(), Ended> {
        let late = || Status::deadline_exceeded("the last rows were not acknowledged in time");
        let mut is_flushed = false;
        while self.first_kept < self.next_row {
            tokio::select! {
                biased;
                answer = tokio::time::timeout(LAST_WAIT, answers.message()) => {
                    self.take(answer.map_err(|_| late())??, opened)?;
                }
                room = send.reserve(), if !is_flushed => {
                    let room = room.map_err(|_| Status::unavailable("the connection is closed"))?;
                    room.send(message(Payload::Flush(v1::Flush {})));
                    is_flushed = true;
                }
            }
        }
        drop(send);
        // The server ends its side once it has sent what was due.
        loop {
            match tokio::time::timeout(LAST_WAIT, answers.message()).await.map_err(|_| late())? {
                Ok(None) => return Ok(()),
                Ok(answer) => self.take(answer, opened)?,
                // Everything is safe: how the stream ends does not matter any more.
                Err(status) if status.code() == Code::Cancelled => return Ok(()),
                Err(status) => return Err(status.into()),
            }
        }
    }
}

fn message(payload: Payload) -> v1::StreamSessionRequest {
    v1::StreamSessionRequest { payload: Some(payload) }
}

/// Reads rows where reading may block: nobody knows when the next line comes.
fn read_on_a_thread(
    arguments: &SessionArguments,
    session: &v1::Session,
) -> Result<mpsc::Receiver<Read>, Failure> {
    let input: Box<dyn std::io::Read + Send> = match arguments.data.as_os_str() == "-" {
        true => Box::new(std::io::stdin()),
        false => Box::new(std::fs::File::open(&arguments.data).map_err(|error| {
            Failure::User(format!("cannot read \"{}\": {error}; check the path", arguments.data.display()))
        })?),
    };
    let mut rows = Rows::begin(BufReader::new(input), arguments, &session.series_ids, &session.channels)?;
    let (send, receive) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        loop {
            let read = match rows.next() {
                Ok(Some(row)) => Ok((row, rows.is_integer())),
                Ok(None) => return,
                Err(failure) => Err(failure),
            };
            let is_last = read.is_err();
            if send.blocking_send(read).is_err() || is_last {
                return;
            }
        }
    });
    Ok(receive)
}
