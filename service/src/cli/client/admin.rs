//! `longcast client admin`: the models of a server.

use std::path::Path;

use forecast_proto::v1;
use forecast_proto::v1::import_model_revision_request::Payload;
use forecast_proto::v1::model_admin_service_client::ModelAdminServiceClient;
use forecast_proto::v1::model_service_client::ModelServiceClient;
use futures_util::stream;
use longcast::crc32c;
use serde_json::json;
use sha2::{Digest, Sha256};
use tonic::Request;

use super::connect::{Connection, Transport, refused};
use crate::cli::args::AdminAction;
use crate::cli::console::{self, Console};
use crate::cli::failure::Failure;
use crate::cli::output;

/// Bytes of a chunk.
const CHUNK: usize = 512 << 10;
/// A file that is fetched may be this large.
const LARGEST_FILE: usize = 4 << 30;

pub(crate) async fn run(
    connection: &Connection,
    action: &AdminAction,
    console: &Console,
) -> Result<(), Failure> {
    let transport = connection.open().await?;
    let mut admin = ModelAdminServiceClient::new(transport.clone());
    match action {
        AdminAction::List => list(connection, &mut ModelServiceClient::new(transport), console).await,
        AdminAction::Import { model, file, makes_default } => {
            let revision = import(&mut admin, model, file, *makes_default).await?;
            tell("imported", &revision, console)
        }
        AdminAction::Export { revision, output } => export(&mut admin, revision, output, console).await,
        AdminAction::Load { revision, makes_default } => {
            let request =
                v1::LoadModelRevisionRequest { name: revision.clone(), make_default: *makes_default };
            // A load takes as long as it takes.
            let answer = admin.load_model_revision(request).await.map_err(|status| refused(&status))?;
            tell("loaded", &answer.into_inner().model_revision.unwrap_or_default(), console)
        }
        AdminAction::Unload { revision, sessions } => unload(&mut admin, revision, sessions, console).await,
        AdminAction::Alias { alias, shares, shadow } => {
            let request = alias_request(alias, shares, shadow)?;
            let answer = admin.update_model(connection.request(request)).await;
            let model = answer.map_err(|status| refused(&status))?.into_inner().model.unwrap_or_default();
            console.say(format!("{alias} points to {}", shares.join(", ")))?;
            console.json(&told(&model))
        }
        AdminAction::Delete { name, force } => {
            if name.contains("/revisions/") {
                let request = connection.request(v1::DeleteModelRevisionRequest { name: name.clone() });
                admin.delete_model_revision(request).await.map_err(|status| refused(&status))?;
            } else {
                let request =
                    v1::DeleteModelRequest { name: name.clone(), etag: String::new(), force: *force };
                admin.delete_model(connection.request(request)).await.map_err(|status| refused(&status))?;
            }
            console.say(format!("deleted {name}"))
        }
    }
}

async fn list(
    connection: &Connection,
    models: &mut ModelServiceClient<Transport>,
    console: &Console,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListModelsRequest { page_size: 1_000, page_token, filter: String::new() };
        let page = models.list_models(connection.request(request)).await;
        let page = page.map_err(|status| refused(&status))?.into_inner();
        all.extend(page.models);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let heading =
        ["revision", "family", "state", "aliases", "bytes", "sessions"].map(str::to_string).to_vec();
    let (mut rows, mut documents) = (vec![heading], Vec::new());
    for model in &all {
        let request = v1::ListModelRevisionsRequest {
            parent: model.name.clone(),
            page_size: 1_000,
            page_token: String::new(),
        };
        let page = models.list_model_revisions(connection.request(request)).await;
        let revisions = page.map_err(|status| refused(&status))?.into_inner().model_revisions;
        for revision in &revisions {
            let id = revision.name.rsplit('/').next().unwrap_or_default();
            let points = |split: &v1::TrafficSplit| split.shares.iter().any(|share| share.revision == id);
            let mut aliases: Vec<&str> = model
                .aliases
                .iter()
                .filter(|(_, split)| points(split))
                .map(|(alias, _)| alias.as_str())
                .collect();
            aliases.sort_unstable();
            rows.push(vec![
                revision.name.clone(),
                revision.family.clone(),
                state_name(revision),
                aliases.join(" "),
                revision.artifact_bytes.to_string(),
                revision.session_count.to_string(),
            ]);
        }
        let revisions: Vec<_> = revisions.iter().map(told_revision).collect();
        documents.push(json!({ "model": told(model), "revisions": revisions }));
    }
    for line in console::columns(&rows) {
        console.say(line)?;
    }
    console.json(&documents)
}

async fn import(
    admin: &mut ModelAdminServiceClient<Transport>,
    model: &str,
    path: &Path,
    makes_default: bool,
) -> Result<v1::ModelRevision, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::User(format!("cannot read \"{}\": {error}", path.display())))?;
    let model = if model.contains('/') { model.to_string() } else { format!("models/{model}") };
    let header = v1::ImportHeader {
        model,
        size_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        sha256: Sha256::digest(&bytes).to_vec(),
        request_id: String::new(),
        serve: makes_default,
    };
    let n_chunks = bytes.len().div_ceil(CHUNK);
    let chunks = (0..n_chunks).map(move |at| {
        let start = at * CHUNK;
        let data = bytes[start..bytes.len().min(start + CHUNK)].to_vec();
        let crc32c = crc32c(&data);
        Payload::FileChunk(v1::FileChunk { offset: start as i64, data, crc32c })
    });
    let messages = std::iter::once(Payload::Header(header)).chain(chunks);
    let messages = messages.map(|payload| v1::ImportModelRevisionRequest { payload: Some(payload) });
    let answer = admin.import_model_revision(Request::new(stream::iter(messages))).await;
    let revision = answer.map_err(|status| refused(&status))?.into_inner().model_revision;
    revision.ok_or_else(|| Failure::Internal("the server sent no revision".to_string()))
}

async fn export(
    admin: &mut ModelAdminServiceClient<Transport>,
    revision: &str,
    path: &Path,
    console: &Console,
) -> Result<(), Failure> {
    output::check(Some(path))?;
    let damaged = |what: &str| Failure::Internal(format!("the file came damaged: {what}; try again"));
    let request = v1::ExportModelRevisionRequest { name: revision.to_string(), offset: 0 };
    let answer = admin.export_model_revision(request).await.map_err(|status| refused(&status))?;
    let mut messages = answer.into_inner();
    let (mut bytes, mut sha256) = (Vec::new(), Vec::new());
    while let Some(message) = messages.message().await.map_err(|status| refused(&status))? {
        let chunk = message.file_chunk.unwrap_or_default();
        if chunk.offset != bytes.len() as i64 || crc32c(&chunk.data) != chunk.crc32c {
            return Err(damaged("a chunk does not fit"));
        }
        if bytes.len() + chunk.data.len() > LARGEST_FILE {
            return Err(damaged("it has no end"));
        }
        bytes.extend(chunk.data);
        sha256 = message.sha256;
    }
    if Sha256::digest(&bytes).as_slice() != sha256 {
        return Err(damaged("its SHA-256 is another"));
    }
    output::file(path, bytes, console)
}

async fn unload(
    admin: &mut ModelAdminServiceClient<Transport>,
    revision: &str,
    sessions: &str,
    console: &Console,
) -> Result<(), Failure> {
    let sessions = match sessions {
        "pin" => v1::SessionsOnUnload::Pin,
        "migrate" => v1::SessionsOnUnload::Migrate,
        "refuse" => v1::SessionsOnUnload::Refuse,
        other => return Err(Failure::option("--sessions", other, "it must be pin, migrate or refuse")),
    };
    let request = v1::UnloadModelRevisionRequest { name: revision.to_string(), sessions: sessions.into() };
    let answer = admin.unload_model_revision(request).await.map_err(|status| refused(&status))?.into_inner();
    console.say(format!(
        "{revision} is unloaded; {} sessions went over, {} stay",
        answer.migrated_sessions, answer.pinned_sessions
    ))?;
    console.json(&json!({
        "revision": revision, "migrated": answer.migrated_sessions, "pinned": answer.pinned_sessions,
    }))
}

/// `models/load@champion` and `3f2a...=95,77c1...=5`.
fn alias_request(
    alias: &str,
    shares: &[String],
    shadow: &[String],
) -> Result<v1::UpdateModelRequest, Failure> {
    let Some((model, name)) = alias.split_once('@') else {
        return Err(Failure::option("the alias", alias, "it must be models/{m}@{alias}"));
    };
    let id = |revision: &str| revision.rsplit('/').next().unwrap_or_default().to_string();
    let share = |text: &String| {
        let (revision, weight) = text.split_once('=').unwrap_or((text, "1"));
        let weight = weight
            .parse()
            .map_err(|_| Failure::option("the weight", weight, "it must be a whole number above 0"))?;
        Ok(v1::TrafficShare { revision: id(revision), weight })
    };
    let split = v1::TrafficSplit {
        shares: shares.iter().map(share).collect::<Result<_, Failure>>()?,
        shadow_revisions: shadow.iter().map(|revision| id(revision)).collect(),
    };
    let model = v1::Model {
        name: model.to_string(),
        aliases: [(name.to_string(), split)].into(),
        ..v1::Model::default()
    };
    let update_mask = Some(prost_types::FieldMask { paths: vec![format!("aliases.{name}")] });
    Ok(v1::UpdateModelRequest { model: Some(model), update_mask, validate_only: false })
}

fn tell(what: &str, revision: &v1::ModelRevision, console: &Console) -> Result<(), Failure> {
    console.say(format!("{what} {} ({}, {})", revision.name, revision.family, state_name(revision)))?;
    console.json(&told_revision(revision))
}

fn state_name(revision: &v1::ModelRevision) -> String {
    let name = revision.state().as_str_name();
    name.strip_prefix("REVISION_STATE_").unwrap_or(name).to_string()
}

fn told_revision(revision: &v1::ModelRevision) -> serde_json::Value {
    let sha256: String = revision.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "name": revision.name, "family": revision.family, "state": state_name(revision),
        "bytes": revision.artifact_bytes, "sha256": sha256, "training_job": revision.training_job,
        "max_horizon": revision.max_horizon, "lookback": revision.lookback, "step": revision.step,
        "channels": revision.channels, "sessions": revision.session_count, "metrics": revision.metrics,
    })
}

fn told(model: &v1::Model) -> serde_json::Value {
    let aliases: serde_json::Map<String, serde_json::Value> = model
        .aliases
        .iter()
        .map(|(alias, split)| {
            let shares: Vec<_> = split
                .shares
                .iter()
                .map(|share| json!({ "revision": share.revision, "weight": share.weight }))
                .collect();
            (alias.clone(), json!({ "shares": shares, "shadows": split.shadow_revisions }))
        })
        .collect();
    json!({ "name": model.name, "aliases": aliases, "labels": model.labels, "etag": model.etag })
}
