//! `longcast client sessions`, and the session that a pipe begins with.

use forecast::Panel;
use forecast_proto::v1;
use forecast_proto::v1::session_service_client::SessionServiceClient;
use longcast::server::to_series_message;
use serde_json::json;
use tonic::Code;

use super::connect::{Connection, refused};
use super::forecast::spec;
use crate::cli::args::{SessionArguments, SessionsAction};
use crate::cli::console::{self, Console};
use crate::cli::failure::Failure;
use crate::cli::input;

pub(crate) async fn run(
    connection: &Connection,
    action: &SessionsAction,
    console: &Console,
) -> Result<(), Failure> {
    let mut client = SessionServiceClient::new(connection.open().await?);
    match action {
        SessionsAction::List => {
            let mut all = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = v1::ListSessionsRequest { page_size: 1_000, page_token, filter: String::new() };
                let page = client.list_sessions(connection.request(request)).await;
                let page = page.map_err(|status| refused(&status))?.into_inner();
                all.extend(page.sessions);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            let heading = ["name", "revision", "series", "applied", "durable"].map(str::to_string).to_vec();
            let rows: Vec<Vec<String>> = std::iter::once(heading).chain(all.iter().map(row)).collect();
            for line in console::columns(&rows) {
                console.say(line)?;
            }
            console.json(&all.iter().map(told).collect::<Vec<_>>())
        }
        SessionsAction::Show { session } => {
            let request = v1::GetSessionRequest { name: session.clone(), include_figures: true };
            let answer = client.get_session(connection.request(request)).await;
            let session = answer.map_err(|status| refused(&status))?.into_inner().session.unwrap_or_default();
            show(&session, console)
        }
        SessionsAction::Delete { session } => {
            let request = v1::DeleteSessionRequest { name: session.clone(), etag: String::new() };
            client.delete_session(connection.request(request)).await.map_err(|status| refused(&status))?;
            console.say(format!("deleted {session}"))
        }
    }
}

fn show(session: &v1::Session, console: &Console) -> Result<(), Failure> {
    console.say(format!(
        "{} uses {}: {} observations applied, {} durable, {} bytes of state",
        session.name,
        session.model_revision,
        session.applied_through,
        session.durable_through,
        session.state_bytes
    ))?;
    let mut rows =
        vec![["series", "observations", "missing", "refused", "MAE", "MASE"].map(str::to_string).to_vec()];
    let number = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.4}"));
    for figures in &session.figures {
        rows.push(vec![
            figures.series_id.clone(),
            figures.observation_count.to_string(),
            figures.missing_count.to_string(),
            figures.refused_count.to_string(),
            number(figures.mae),
            number(figures.mase),
        ]);
    }
    for line in console::columns(&rows) {
        console.say(line)?;
    }
    console.json(&told(session))
}

fn row(session: &v1::Session) -> Vec<String> {
    vec![
        session.name.clone(),
        session.model_revision.clone(),
        session.series_ids.len().to_string(),
        session.applied_through.to_string(),
        session.durable_through.to_string(),
    ]
}

fn told(session: &v1::Session) -> serde_json::Value {
    let figures = session.figures.iter().map(|figures| {
        json!({
            "series_id": figures.series_id, "observations": figures.observation_count,
            "missing": figures.missing_count, "refused": figures.refused_count,
            "mae": figures.mae, "mase": figures.mase, "fallback": figures.fallback,
            "coverages": figures.coverages.iter()
                .map(|of| json!({ "nominal": of.nominal, "measured": of.measured, "judged": of.judged_count }))
                .collect::<Vec<_>>(),
        })
    });
    json!({
        "name": session.name, "revision": session.model_revision, "series": session.series_ids,
        "channels": session.channels, "applied_through": session.applied_through,
        "durable_through": session.durable_through, "state_bytes": session.state_bytes,
        "figures": figures.collect::<Vec<_>>(),
    })
}

/// The session of a pipe: made now, or as it is.
pub(crate) async fn create(
    connection: &Connection,
    arguments: &SessionArguments,
    console: &Console,
) -> Result<v1::Session, Failure> {
    input::check_levels(&arguments.level)?;
    let durability = match arguments.durability.as_deref() {
        None => v1::Durability::Unspecified,
        Some("sync") => v1::Durability::Sync,
        Some("async") => v1::Durability::Async,
        Some("memory") => v1::Durability::Memory,
        Some(other) => {
            return Err(Failure::option("--durability", other, "it must be sync, async or memory"));
        }
    };
    let history = match &arguments.history {
        Some(path) => {
            let panel = Panel::read(path, &forecast::ReadOptions::default())?;
            input::describe(&panel, &path.display().to_string(), console);
            panel.series().iter().map(to_series_message).collect()
        }
        None => {
            let own = [arguments.session.clone()];
            let ids = if arguments.series.is_empty() { &own[..] } else { &arguments.series[..] };
            ids.iter().map(|id| v1::Series { series_id: id.clone(), ..v1::Series::default() }).collect()
        }
    };
    let horizon = i32::try_from(arguments.horizon).unwrap_or(i32::MAX);
    let request = v1::CreateSessionRequest {
        session_id: arguments.session.clone(),
        model: arguments.model.clone(),
        history,
        spec: Some(v1::ForecastSpec { horizon, ..spec(&arguments.level, &arguments.quantiles, false) }),
        emit: Some(v1::EmitPolicy {
            when: Some(v1::emit_policy::When::EveryObservations(arguments.every)),
            // A pipe is read as fast as it can be: nothing is left out.
            slow_consumer: v1::SlowConsumer::Block.into(),
        }),
        durability: durability.into(),
        idle_ttl: arguments
            .idle_seconds
            .map(|seconds| prost_types::Duration { seconds: seconds.into(), nanos: 0 }),
        ..v1::CreateSessionRequest::default()
    };
    let mut client = SessionServiceClient::new(connection.open().await?);
    let created = match client.create_session(connection.request(request)).await {
        Ok(answer) => answer.into_inner().session,
        Err(status) if status.code() == Code::AlreadyExists => {
            let name = format!("sessions/{}", arguments.session);
            let request = v1::GetSessionRequest { name, include_figures: false };
            let answer = client.get_session(connection.request(request)).await;
            let session = answer.map_err(|status| refused(&status))?.into_inner().session;
            if let Some(session) = &session {
                console.note(format!("{} is there, with {} rows", session.name, session.applied_through));
            }
            session
        }
        Err(status) => return Err(refused(&status)),
    };
    created.ok_or_else(|| Failure::Internal("the server sent no session".to_string()))
}
