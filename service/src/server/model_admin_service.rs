//! `ModelAdminService`: changing the registry. What blocks runs on a thread of its own, at a low priority.

use std::collections::BTreeMap;
use std::pin::Pin;

use forecast_proto::v1;
use forecast_proto::v1::import_model_revision_request::Payload;
use forecast_proto::v1::model_admin_service_server::ModelAdminService;
use futures_util::{Stream, StreamExt, stream};
use tonic::{Request, Response, Status, Streaming};

use super::model_messages::{from_hex, model_message, revision_of, traffic};
use super::reason::Reason;
use crate::crc32c;
use crate::operation::compute::Compute;
use crate::registry::{ModelChange, Name, OnUnload, Registry, RegistryError, Upload};

/// Bytes of one chunk.
pub(super) const CHUNK: usize = 1 << 20;
const LONGEST_REQUEST_ID: usize = 128;

/// Changes the registry.
#[derive(Debug)]
pub(crate) struct ModelChanges {
    registry: Registry,
    compute: Compute,
}

impl ModelChanges {
    pub(crate) fn new(registry: Registry, compute: Compute) -> Self {
        ModelChanges { registry, compute }
    }

    /// Runs what blocks, away from calls and forecasts.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, Status> {
        let registry = self.registry.clone();
        self.compute.load(move || work(&registry).map_err(Status::from)).await
    }
}

type Chunks = Pin<Box<dyn Stream<Item = Result<v1::ExportModelRevisionResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ModelAdminService for ModelChanges {
    async fn update_model(
        &self,
        request: Request<v1::UpdateModelRequest>,
    ) -> Result<Response<v1::UpdateModelResponse>, Status> {
        let request = request.into_inner();
        let model = request.model.ok_or_else(|| Reason::FieldInvalid.at("model", "it is required"))?;
        let name = model.name.clone();
        let change = change(model, request.update_mask.unwrap_or_default().paths, request.validate_only)?;
        let view = self.blocking(move |registry| registry.update(&name, change)).await?;
        Ok(Response::new(v1::UpdateModelResponse { model: Some(model_message(view)) }))
    }

    async fn delete_model(
        &self,
        request: Request<v1::DeleteModelRequest>,
    ) -> Result<Response<v1::DeleteModelResponse>, Status> {
        let request = request.into_inner();
        self.blocking(move |registry| registry.delete(&request.name, &request.etag, request.force)).await?;
        Ok(Response::new(v1::DeleteModelResponse {}))
    }

    async fn delete_model_revision(
        &self,
        request: Request<v1::DeleteModelRevisionRequest>,
    ) -> Result<Response<v1::DeleteModelRevisionResponse>, Status> {
        let name = request.into_inner().name;
        self.blocking(move |registry| registry.delete_revision(&name)).await?;
        Ok(Response::new(v1::DeleteModelRevisionResponse {}))
    }

    async fn import_model_revision(
        &self,
        request: Request<Streaming<v1::ImportModelRevisionRequest>>,
    ) -> Result<Response<v1::ImportModelRevisionResponse>, Status> {
        let mut incoming = request.into_inner();
        let header = match incoming.message().await?.and_then(|message| message.payload) {
            Some(Payload::Header(header)) => header,
            _ => return Err(Reason::FieldInvalid.at("header", "it must be the first message")),
        };
        if header.request_id.len() > LONGEST_REQUEST_ID {
            let rule = format!("it has more than {LONGEST_REQUEST_ID} characters");
            return Err(Reason::FieldInvalid.at("header.request_id", &rule));
        }
        let Name::Model(model) = Name::parse("header.model", &header.model)? else {
            return Err(Reason::FieldInvalid.at("header.model", "it must be models/{m}"));
        };
        let most = self.registry.limits().file_bytes;
        let mut upload = Upload::begin(&model, header.size_bytes, &header.sha256, most)?;
        while let Some(message) = incoming.message().await? {
            let Some(Payload::FileChunk(chunk)) = message.payload else {
                return Err(
                    Reason::FieldInvalid.at("file_chunk", "every message after the first brings a chunk")
                );
            };
            if chunk.data.is_empty() || chunk.data.len() > CHUNK {
                let rule = format!("it has {} bytes, but must have 1 to {CHUNK}", chunk.data.len());
                return Err(Reason::FieldInvalid.at("file_chunk.data", &rule));
            }
            upload.take(chunk.offset, &chunk.data, chunk.crc32c)?;
        }
        let imported = self.blocking(move |registry| {
            // Not held any longer: a revision that does not serve is not in memory.
            let name = upload.finish(registry, header.serve)?.revision().to_string();
            registry.revision(&name)
        });
        let model_revision = Some(revision_of(&self.registry, imported.await?));
        Ok(Response::new(v1::ImportModelRevisionResponse { model_revision }))
    }

    type ExportModelRevisionStream = Chunks;

    async fn export_model_revision(
        &self,
        request: Request<v1::ExportModelRevisionRequest>,
    ) -> Result<Response<Self::ExportModelRevisionStream>, Status> {
        let v1::ExportModelRevisionRequest { name, offset } = request.into_inner();
        let (bytes, view) =
            self.blocking(move |registry| Ok((registry.export(&name)?, registry.revision(&name)?))).await?;
        let start = usize::try_from(offset).ok().filter(|start| *start <= bytes.len()).ok_or_else(|| {
            let rule = format!("it is {offset}, but the file has {} bytes", bytes.len());
            Reason::FieldInvalid.at("offset", &rule)
        })?;
        let size_bytes = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let sha256 = from_hex(&view.record.sha256);
        // At the end of the file an empty chunk still says how large it is.
        let starts: Vec<usize> = (start..bytes.len().max(start + 1)).step_by(CHUNK).collect();
        let chunks = stream::iter(starts).map(move |at| {
            let data = bytes[at..bytes.len().min(at + CHUNK)].to_vec();
            let chunk =
                v1::FileChunk { offset: i64::try_from(at).unwrap_or(i64::MAX), crc32c: crc32c(&data), data };
            Ok(v1::ExportModelRevisionResponse {
                file_chunk: Some(chunk),
                size_bytes,
                sha256: sha256.clone(),
            })
        });
        let chunks: Chunks = Box::pin(chunks);
        Ok(Response::new(chunks))
    }

    async fn load_model_revision(
        &self,
        request: Request<v1::LoadModelRevisionRequest>,
    ) -> Result<Response<v1::LoadModelRevisionResponse>, Status> {
        let request = request.into_inner();
        let loaded =
            self.blocking(move |registry| registry.serve(&request.name, request.make_default)).await?;
        let view = self.registry.revision(loaded.revision())?;
        let model_revision = Some(revision_of(&self.registry, view));
        Ok(Response::new(v1::LoadModelRevisionResponse { model_revision }))
    }

    async fn unload_model_revision(
        &self,
        request: Request<v1::UnloadModelRevisionRequest>,
    ) -> Result<Response<v1::UnloadModelRevisionResponse>, Status> {
        let request = request.into_inner();
        let sessions = match v1::SessionsOnUnload::try_from(request.sessions) {
            Ok(v1::SessionsOnUnload::Unspecified | v1::SessionsOnUnload::Pin) => OnUnload::Pin,
            Ok(v1::SessionsOnUnload::Refuse) => OnUnload::Refuse,
            Ok(v1::SessionsOnUnload::Migrate) => OnUnload::Migrate,
            Err(_) => return Err(Reason::FieldInvalid.at("sessions", "it is none of SessionsOnUnload")),
        };
        let unloaded = self.blocking(move |registry| registry.unload(&request.name, sessions)).await?;
        let small = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        Ok(Response::new(v1::UnloadModelRevisionResponse {
            migrated_sessions: small(unloaded.n_migrated),
            pinned_sessions: small(unloaded.n_pinned),
            model_revision: Some(revision_of(&self.registry, unloaded.view)),
        }))
    }
}

/// What an update mask says of a model.
fn change(model: v1::Model, mask: Vec<String>, is_only_checked: bool) -> Result<ModelChange, Status> {
    if mask.is_empty() {
        return Err(
            Reason::FieldInvalid.at("update_mask", "it is required: labels, aliases or aliases.{alias}")
        );
    }
    let mut change = ModelChange { etag: model.etag, is_only_checked, ..ModelChange::default() };
    let mut aliases = BTreeMap::new();
    for (alias, split) in model.aliases {
        let parsed = traffic(&alias, split)?;
        aliases.insert(alias, parsed);
    }
    for path in mask {
        match path.as_str() {
            "labels" => change.labels = Some(model.labels.clone().into_iter().collect()),
            "aliases" => change.aliases = Some(aliases.clone()),
            other => match other.strip_prefix("aliases.") {
                Some(alias) => {
                    change.some_aliases.insert(alias.to_string(), aliases.get(alias).cloned());
                }
                None => {
                    let rule = format!("\"{other}\" is none of labels, aliases and aliases.{{alias}}");
                    return Err(Reason::FieldInvalid.at("update_mask", &rule));
                }
            },
        }
    }
    Ok(change)
}
