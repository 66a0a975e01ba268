//! Connections that are cut at any byte, and a server that is killed: over real sockets, with the real program.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use forecast_proto::v1;
use forecast_proto::v1::stream_session_request::Payload as Ask;
use forecast_proto::v1::stream_session_response::Payload;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Channel;

use crate::exchange::{hourly_model, in_time, series};
use crate::run::{Folder, Served, bits, wave};
use crate::session_client::{Sessions, Stream, hours, new_session, result};

/// Observations of one run.
const N: u64 = 6000;
/// Of one message.
const BATCH: u64 = 17;

/// Sends bytes on in both directions, and cuts each connection after so many of them.
struct Proxy {
    address: String,
    target: Arc<Mutex<String>>,
    n_cut: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start(target: &str, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let target = Arc::new(Mutex::new(target.to_string()));
        let n_cut = Arc::new(AtomicUsize::new(0));
        let (to, cuts) = (Arc::clone(&target), Arc::clone(&n_cut));
        tokio::spawn(async move {
            let mut state = seed;
            while let Ok((client, _)) = listener.accept().await {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let room = 400 + usize::try_from(state >> 33).unwrap() % 20_000;
                let address = to.lock().unwrap().clone();
                let cuts = Arc::clone(&cuts);
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(address).await {
                        forward(client, server, room).await;
                        cuts.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Proxy { address, target, n_cut }
    }
}

/// Sends bytes on until there were `room` of them in both directions together, then drops both ends.
async fn forward(client: TcpStream, server: TcpStream, room: usize) {
    let left = Arc::new(AtomicUsize::new(room));
    let (client, server) = (client.into_split(), server.into_split());
    tokio::select! {
        () = copy(client.0, server.1, Arc::clone(&left)) => {}
        () = copy(server.0, client.1, left) => {}
    }
}

async fn copy(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    left: Arc<AtomicUsize>,
) {
    let mut bytes = [0; 1000];
    while let Ok(n) = from.read(&mut bytes).await {
        let before =
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(n)));
        let room = before.unwrap_or(0).min(n);
        // The other end may be gone.
        if n == 0 || to.write_all(&bytes[..room]).await.is_err() || room < n {
            return;
        }
    }
}

/// A connection of its own through the proxy, if it comes about.
async fn connect(proxy: &Proxy) -> Option<Sessions> {
    let endpoint = Channel::from_shared(format!("http://{}", proxy.address)).unwrap();
    Some(Sessions::new(in_time(endpoint.connect()).await.ok()?))
}

/// What the client knows.
#[derive(Debug, Default)]
struct Known {
    /// The last sequence number that it was told is durable.
    promised: u64,
    next: u64,
    n_opened: usize,
}

/// One connection: opens the session, sends on from where it is, and reads until something breaks. True once everything
/// is durable.
async fn try_once(proxy: &Proxy, session: &str, known: &mut Known) -> bool {
    let Some(mut client) = connect(proxy).await else { return false };
    let Ok((mut stream, opened)) = Stream::open(&mut client, session, 0).await else { return false };
    assert!(opened.next_sequence > known.promised, "{known:?}, but {} is next", opened.next_sequence);
    known.n_opened += 1;
    known.next = opened.next_sequence;
    while known.next <= N {
        let n = BATCH.min(N + 1 - known.next);
        stream.observe(hours(known.next, usize::try_from(n).unwrap())).await;
        known.next += n;
        if known.next.is_multiple_of(5) {
            // Sent twice, as clients do that are not sure.
            stream.observe(hours(known.next - n, usize::try_from(n).unwrap())).await;
        }
        match stream.until_applied_or_end(known.next - 1).await {
            Some(ack) => known.promised = known.promised.max(ack.durable_through),
            None => return false,
        }
    }
    stream.ask(Ask::Flush(v1::Flush {})).await;
    match stream.until_durable_or_end(N).await {
        Some(ack) => {
            known.promised = known.promised.max(ack.durable_through);
            ack.durable_through == N
        }
        None => false,
    }
}

impl Stream {
    async fn until_applied_or_end(&mut self, through: u64) -> Option<v1::Ack> {
        self.ack_or_end(|ack| ack.applied_through >= through).await
    }

    async fn until_durable_or_end(&mut self, through: u64) -> Option<v1::Ack> {
        self.ack_or_end(|ack| ack.durable_through >= through).await
    }

    async fn ack_or_end(&mut self, is_it: impl Fn(&v1::Ack) -> bool) -> Option<v1::Ack> {
        loop {
            match self.next().await {
                Ok(Some(Payload::Ack(ack))) if is_it(&ack) => return Some(ack),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

/// The server program with sessions in a folder.
fn serve(folder: &Folder) -> Served {
    Served::start(folder, "load.longcast --data state")
}

async fn run(durability: v1::Durability, kills: bool) {
    let name = format!("faults-{}-{kills}", durability.as_str_name());
    let folder = Folder::new(&name);
    hourly_model().save(folder.path().join("load.longcast")).unwrap();
    let mut server = serve(&folder);
    let proxy = Proxy::start(&server.address, 4711).await;
    let direct = format!("http://{}", server.address);
    let mut client = Sessions::connect(direct).await.unwrap();
    let request = v1::CreateSessionRequest { durability: durability.into(), ..new_session("s") };
    in_time(client.create_session(request)).await.unwrap();
    let mut known = Known::default();
    let mut n_killed = 0;
    for attempt in 1..2000 {
        if try_once(&proxy, "sessions/s", &mut known).await {
            break;
        }
        if kills && attempt % 2 == 0 && n_killed < 12 {
            // No farewell: SIGKILL.
            drop(server);
            server = serve(&folder);
            proxy.target.lock().unwrap().clone_from(&server.address);
            n_killed += 1;
        }
        assert!(attempt < 1900, "{known:?}");
    }
    assert_eq!(known.promised, N);
    assert!(proxy.n_cut.load(Ordering::Relaxed) >= 5 && known.n_opened >= 5, "{known:?}");
    assert!(!kills || n_killed >= 2, "{n_killed}");

    let mut client = Sessions::connect(format!("http://{}", server.address)).await.unwrap();
    let (mut stream, opened) = Stream::open(&mut client, "sessions/s", 0).await.unwrap();
    assert_eq!(opened.next_sequence, N + 1);
    stream.ask(Ask::RequestForecast(v1::RequestForecast::default())).await;
    let Some(Payload::Update(update)) = stream.next().await.unwrap() else { panic!("no forecast") };
    let model = hourly_model();
    let mut state = model.start(&series("load", wave(48, 1))).unwrap();
    for value in &wave(48 + usize::try_from(N).unwrap(), 1)[48..] {
        model.observe(&mut state, &[*value]).unwrap();
    }
    let options = forecast::ForecastOptions { horizon: 24, ..Default::default() };
    let expected = model.forecast_from(&state, &options).unwrap();
    assert_eq!(bits(&result(&update).mean), bits(&expected.mean.iter().copied().collect::<Vec<_>>()));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_at_any_byte_change_nothing() {
    run(v1::Durability::Sync, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_again_and_again_loses_nothing_that_sync_has_acknowledged() {
    run(v1::Durability::Sync, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_again_and_again_keeps_what_async_has_called_durable() {
    run(v1::Durability::Async, true).await;
}
