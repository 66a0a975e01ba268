//! `longcast client info`: what a server is, and how much it takes.

use forecast_proto::v1;
use forecast_proto::v1::server_service_client::ServerServiceClient;
use serde_json::json;

use super::connect::{Connection, refused};
use crate::cli::console::{self, Console};
use crate::cli::failure::Failure;

pub(crate) async fn run(connection: &Connection, console: &Console) -> Result<(), Failure> {
    let mut client = ServerServiceClient::new(connection.open().await?);
    let answer = client.get_server_info(connection.request(v1::GetServerInfoRequest {})).await;
    let info = answer.map_err(|status| refused(&status))?.into_inner();
    let limits = info.limits.unwrap_or_default();
    console.say(format!(
        "longcast {}{}, sessions {}",
        info.version,
        if info.draining { ", draining" } else { "" },
        if info.durable_sessions { "survive a restart" } else { "live in memory" }
    ))?;
    console.say(format!("services: {}", info.services.join(", ")))?;
    console.say(format!("families: {}", info.model_families.join(", ")))?;
    let all = [
        ("max_unary_request_bytes", limits.max_unary_request_bytes),
        ("max_stream_message_bytes", limits.max_stream_message_bytes),
        ("max_streams_per_connection", limits.max_streams_per_connection.into()),
        ("max_calls_per_connection", limits.max_calls_per_connection.into()),
        ("max_connections", limits.max_connections.into()),
        ("max_queued_calls", limits.max_queued_calls.into()),
        ("max_call_seconds", limits.max_call_duration.map_or(0, |duration| duration.seconds)),
        ("max_horizon", limits.max_horizon.into()),
        ("max_paths", limits.max_paths.into()),
        ("max_batch_series", limits.max_batch_series.into()),
        ("max_sessions", limits.max_sessions.into()),
        ("max_session_series", limits.max_session_series.into()),
        ("max_session_state_bytes", limits.max_session_state_bytes),
        ("max_batch_observations", limits.max_batch_observations.into()),
        ("max_unacked_observations", limits.max_unacked_observations.into()),
        ("max_session_watchers", limits.max_session_watchers.into()),
        ("max_session_idle_seconds", limits.max_session_idle_ttl.map_or(0, |duration| duration.seconds)),
        ("max_registry_bytes", limits.max_registry_bytes),
        ("max_model_file_bytes", limits.max_model_file_bytes),
        ("max_resident_model_bytes", limits.max_resident_model_bytes),
        ("max_jobs", limits.max_jobs.into()),
        ("max_dataset_bytes", limits.max_dataset_bytes),
        ("max_chunk_bytes", limits.max_chunk_bytes),
        ("max_process_bytes", limits.max_process_bytes),
    ];
    let rows: Vec<Vec<String>> =
        all.iter().map(|(name, value): &(&str, i64)| vec![(*name).to_string(), value.to_string()]).collect();
    for line in console::columns(&rows) {
        console.say(line)?;
    }
    let limits: serde_json::Map<String, serde_json::Value> =
        all.iter().map(|(name, value)| ((*name).to_string(), json!(value))).collect();
    console.json(&json!({
        "version": info.version, "draining": info.draining, "services": info.services,
        "families": info.model_families, "durable_sessions": info.durable_sessions, "limits": limits,
    }))
}
