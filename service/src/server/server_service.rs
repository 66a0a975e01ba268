//! `ServerService`: what the server is, and everything it holds callers to.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forecast::ModelConfig;
use forecast_proto::v1;
use forecast_proto::v1::server_service_server::ServerService;
use tonic::{Request, Response, Status};

use super::model_admin_service::CHUNK;
use super::model_messages::timestamp;
use crate::operation::{Drain, Limits};
use crate::registry::RegistryLimits;

/// Answers what the server is.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) start: SystemTime,
    pub(crate) drain: Drain,
    pub(crate) limits: Arc<Limits>,
    pub(crate) registry: RegistryLimits,
    /// What other parts of the server hold callers to.
    pub(crate) others: v1::Limits,
    pub(crate) services: Vec<String>,
    pub(crate) has_durable_sessions: bool,
}

#[tonic::async_trait]
impl ServerService for Info {
    async fn get_server_info(
        &self,
        _: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        Ok(Response::new(v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_string(),
            start_time: Some(time(self.start)),
            current_time: Some(time(SystemTime::now())),
            draining: self.drain.until().is_some(),
            limits: Some(self.limits()),
            model_families: ModelConfig::NAMES.map(String::from).to_vec(),
            services: self.services.clone(),
            durable_sessions: self.has_durable_sessions,
        }))
    }
}

impl Info {
    fn limits(&self) -> v1::Limits {
        let limits = &self.limits;
        let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let large = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        v1::Limits {
            max_unary_request_bytes: large(limits.unary_bytes as u64),
            max_stream_message_bytes: large(limits.stream_bytes as u64),
            max_streams_per_connection: i32::try_from(limits.streams).unwrap_or(i32::MAX),
            max_calls_per_connection: small(limits.calls_per_connection),
            max_connections: small(limits.connections),
            max_queued_calls: small(limits.queued_calls),
            max_call_duration: Some(duration(limits.call_time)),
            max_horizon: small(limits.horizon),
            max_paths: small(limits.paths),
            max_batch_series: small(limits.batch_series),
            max_registry_bytes: large(self.registry.stored_bytes),
            max_model_file_bytes: large(self.registry.file_bytes),
            max_resident_model_bytes: large(self.registry.resident_bytes),
            max_chunk_bytes: large(CHUNK as u64),
            max_process_bytes: large(limits.process_memory),
            ..self.others
        }
    }
}

fn time(time: SystemTime) -> prost_types::Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

pub(super) fn duration(time: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.subsec_nanos()).unwrap_or(0),
    }
}
