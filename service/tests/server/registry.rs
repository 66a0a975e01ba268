//! The registry over gRPC: import, export, load, unload, aliases, shadows; and what a restart finds.

use std::collections::HashMap;

use forecast::Model;
use forecast_proto::v1;
use forecast_proto::v1::import_model_revision_request::Payload;
use forecast_proto::v1::model_admin_service_client::ModelAdminServiceClient;
use forecast_proto::v1::model_service_client::ModelServiceClient;
use longcast::operation::Config;
use longcast::registry::{OnUnload, Registry};
use longcast::server::Reason;
use prost_types::FieldMask;
use sha2::{Digest, Sha256};
use tonic::transport::Channel;

use crate::errors::details;
use crate::exchange::{Running, ask, config, fit, hourly_model, in_time, request, series};
use crate::run::{Folder, wave};

type Admin = ModelAdminServiceClient<Channel>;

/// A model whose coefficients differ from those of the other orders.
fn of_order(order: &str) -> Model {
    fit("ar", &[("order", order)], &["y"], vec![series("load", wave(600, 1))])
}

fn opened(folder: &Folder) -> Registry {
    Registry::open(&folder.join("data"), Config::default().registry).unwrap()
}

async fn started(folder: &Folder) -> (Running, Admin) {
    let running = Running::of(opened(folder), &config(&[("admin.port", "0")])).await;
    let admin = Admin::new(running.admin_channel().await);
    (running, admin)
}

fn messages(bytes: &[u8], serve: bool) -> Vec<v1::ImportModelRevisionRequest> {
    let header = v1::ImportHeader {
        model: "models/load".to_string(),
        size_bytes: bytes.len() as i64,
        sha256: Sha256::digest(bytes).to_vec(),
        request_id: String::new(),
        serve,
    };
    let chunk = |(i, data): (usize, &[u8])| {
        let (offset, crc32c) = (i as i64 * 1000, longcast::crc32c(data));
        Payload::FileChunk(v1::FileChunk { offset, data: data.to_vec(), crc32c })
    };
    let chunks = bytes.chunks(1000).enumerate().map(chunk);
    let all = [Payload::Header(header)].into_iter().chain(chunks);
    all.map(|payload| v1::ImportModelRevisionRequest { payload: Some(payload) }).collect()
}

async fn import(admin: &mut Admin, model: &Model, serve: bool) -> v1::ModelRevision {
    let messages = messages(&model.to_bytes().unwrap(), serve);
    let answer = in_time(admin.import_model_revision(tokio_stream::iter(messages))).await.unwrap();
    answer.into_inner().model_revision.unwrap()
}

async fn export(admin: &mut Admin, name: &str, offset: i64) -> Vec<u8> {
    let request = v1::ExportModelRevisionRequest { name: name.to_string(), offset };
    let mut chunks = in_time(admin.export_model_revision(request)).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(answer) = in_time(chunks.message()).await.unwrap() {
        let chunk = answer.file_chunk.unwrap();
        assert_eq!(chunk.offset, offset + bytes.len() as i64);
        assert_eq!(chunk.crc32c, longcast::crc32c(&chunk.data));
        bytes.extend(chunk.data);
    }
    bytes
}

async fn answered_by(running: &Running, model: &str, id: &str) -> Result<String, tonic::Status> {
    let mut asked = request(&series(id, wave(100, 1)));
    asked.model = model.to_string();
    ask(&mut running.client().await, asked).await.map(|forecast| forecast.model_revision)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_travels_in_chunks_serves_and_is_there_after_a_restart() {
    let folder = Folder::new("import");
    let (running, mut admin) = started(&folder).await;
    let model = hourly_model();
    let first = import(&mut admin, &model, true).await;
    assert_eq!(
        (first.state(), first.family.as_str(), first.online_update),
        (v1::RevisionState::Serving, "ar", true)
    );
    let bytes = model.to_bytes().unwrap();
    assert_eq!(first.sha256, Sha256::digest(&bytes).to_vec());
    assert_eq!(answered_by(&running, "models/load", "load").await.unwrap(), first.name);
    assert_eq!(export(&mut admin, &first.name, 0).await, bytes);
    assert_eq!(export(&mut admin, &first.name, 777).await, bytes[777..]);

    // The same file is the same revision; another one is stored beside it, and serves when it is told to.
    assert_eq!(import(&mut admin, &model, false).await.name, first.name);
    let second = import(&mut admin, &of_order("12"), false).await;
    assert_eq!(second.state(), v1::RevisionState::Stored);
    let status = answered_by(&running, &second.name, "load").await.unwrap_err();
    details(&status, Reason::ModelNotLoaded);
    let load = v1::LoadModelRevisionRequest { name: second.name.clone(), make_default: true };
    in_time(admin.load_model_revision(load)).await.unwrap();
    assert_eq!(answered_by(&running, "models/load", "load").await.unwrap(), second.name);
    // Nothing names the first any more.
    details(&answered_by(&running, &first.name, "load").await.unwrap_err(), Reason::ModelNotLoaded);
    in_time(running.stop()).await.unwrap();

    let (running, _) = started(&folder).await;
    assert_eq!(answered_by(&running, "", "load").await.unwrap(), second.name);
    let mut reads = ModelServiceClient::new(running.channel().await);
    let list = v1::ListModelRevisionsRequest {
        parent: "models/load".to_string(),
        page_size: 1,
        ..Default::default()
    };
    let page = in_time(reads.list_model_revisions(list.clone())).await.unwrap().into_inner();
    assert_eq!(page.model_revisions[0].name, second.name);
    let rest = v1::ListModelRevisionsRequest { page_token: page.next_page_token, ..list };
    let page = in_time(reads.list_model_revisions(rest)).await.unwrap().into_inner();
    assert_eq!(
        (page.model_revisions[0].name.as_str(), page.next_page_token.as_str()),
        (first.name.as_str(), "")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_damaged_is_refused_and_nothing_of_it_stays() {
    let folder = Folder::new("damaged");
    let (_running, mut admin) = started(&folder).await;
    let bytes = hourly_model().to_bytes().unwrap();
    let good = messages(&bytes, true);
    let changed = |change: &dyn Fn(&mut Vec<v1::ImportModelRevisionRequest>)| {
        let mut messages = good.clone();
        change(&mut messages);
        messages
    };
    let chunk = |message: &mut v1::ImportModelRevisionRequest, change: &dyn Fn(&mut v1::FileChunk)| {
        if let Some(Payload::FileChunk(chunk)) = &mut message.payload {
            change(chunk);
        }
    };
    let mut flipped = bytes.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    for (what, messages, reason) in [
        ("no header", good[1..].to_vec(), Reason::FieldInvalid),
        ("two headers", changed(&|all| all.insert(1, good[0].clone())), Reason::FieldInvalid),
        ("a wrong checksum", changed(&|all| chunk(&mut all[2], &|c| c.crc32c ^= 1)), Reason::FileCorrupt),
        ("a gap", changed(&|all| drop(all.remove(2))), Reason::FileCorrupt),
        ("a cut", changed(&|all| drop(all.pop())), Reason::FileCorrupt),
        ("more than was said", changed(&|all| all.push(good[1].clone())), Reason::FileCorrupt),
        ("an empty chunk", changed(&|all| chunk(&mut all[1], &|c| c.data.clear())), Reason::FieldInvalid),
        (
            "another file",
            changed(&|all| {
                if let Some(Payload::Header(header)) = &mut all[0].payload {
                    header.sha256[0] ^= 1
                }
            }),
            Reason::FileCorrupt,
        ),
        ("no model", messages(b"not a model at all", true), Reason::FileCorrupt),
        ("a model with a flipped bit", messages(&flipped, true), Reason::FileCorrupt),
    ] {
        let status =
            in_time(admin.import_model_revision(tokio_stream::iter(messages))).await.expect_err(what);
        details(&status, reason);
    }
    assert!(opened(&folder).names().is_empty(), "{:?}", folder.names());
    import(&mut admin, &hourly_model(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_share_calls_by_weight_and_shadows_see_copies() {
    let folder = Folder::new("aliases");
    let (running, mut admin) = started(&folder).await;
    let old = import(&mut admin, &hourly_model(), true).await;
    let new = import(&mut admin, &of_order("12"), false).await;
    let load = v1::LoadModelRevisionRequest { name: new.name.clone(), make_default: false };
    in_time(admin.load_model_revision(load)).await.unwrap();
    let id = |name: &str| name.rsplit('/').next().unwrap().to_string();
    let share = |name: &str, weight| v1::TrafficShare { revision: id(name), weight };
    let split =
        v1::TrafficSplit { shares: vec![share(&old.name, 3), share(&new.name, 1)], shadow_revisions: vec![] };
    let shadowed =
        v1::TrafficSplit { shares: vec![share(&old.name, 1)], shadow_revisions: vec![id(&new.name)] };
    let mut update = v1::UpdateModelRequest {
        model: Some(v1::Model {
            name: "models/load".to_string(),
            aliases: HashMap::from([("canary".to_string(), split), ("watched".to_string(), shadowed)]),
            labels: HashMap::from([("team".to_string(), "grid".to_string())]),
            ..v1::Model::default()
        }),
        update_mask: Some(FieldMask {
            paths: vec!["aliases.canary".into(), "aliases.watched".into(), "labels".into()],
        }),
        validate_only: false,
    };
    let model = in_time(admin.update_model(update.clone())).await.unwrap().into_inner().model.unwrap();
    assert_eq!(model.labels["team"], "grid");
    assert_eq!(model.aliases.len(), 3);

    let mut n_new = 0;
    for i in 0..200 {
        let by = answered_by(&running, "models/load@canary", &format!("s{i}")).await.unwrap();
        assert_eq!(answered_by(&running, "models/load@canary", &format!("s{i}")).await.unwrap(), by);
        n_new += usize::from(by == new.name);
    }
    assert!((25..=75).contains(&n_new), "{n_new} of 200 went to a quarter's share");

    for i in 0..10 {
        assert_eq!(answered_by(&running, "models/load@watched", &format!("s{i}")).await.unwrap(), old.name);
    }
    let mut reads = ModelServiceClient::new(running.channel().await);
    let get = v1::GetModelRevisionRequest { name: new.name.clone() };
    in_time(async {
        loop {
            let seen =
                reads.get_model_revision(get.clone()).await.unwrap().into_inner().model_revision.unwrap();
            if seen.shadow_count == 10 && seen.shadow_mean_absolute_difference > 0.0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;

    // An alias needs the revision; a stale reader changes nothing.
    let unload = v1::UnloadModelRevisionRequest { name: new.name.clone(), sessions: 0 };
    details(&in_time(admin.unload_model_revision(unload)).await.unwrap_err(), Reason::ModelInUse);
    update.model.as_mut().unwrap().etag = "v0".to_string();
    details(&in_time(admin.update_model(update)).await.unwrap_err(), Reason::EtagMismatch);
}

#[test]
fn an_unloaded_revision_drains_and_sessions_keep_it() {
    let folder = Folder::new("unload");
    let registry = opened(&folder);
    let first = registry.add("load", &hourly_model().to_bytes().unwrap(), "").unwrap();
    let second = registry.add("load", &of_order("12").to_bytes().unwrap(), "trainingJobs/7").unwrap();
    assert_eq!(registry.resolve("models/load").unwrap().revision(), second.revision());
    let pin = first.pin();
    let (first_name, second_name) = (first.revision().to_string(), second.revision().to_string());
    drop((first, second));
    let unloaded = registry.unload(&second_name, OnUnload::Refuse);
    // No other revision serves: the plain name means nothing then.
    assert_eq!(unloaded.unwrap().n_pinned, 0);
    assert!(registry.resolve("models/load").is_err());
    // The session's revision is in memory, and nobody else gets it.
    assert!(registry.resolve(&first_name).is_err());
    assert!(std::sync::Arc::ptr_eq(&registry.load(&first_name).unwrap(), pin.loaded()));
    assert!(registry.unload(&first_name, OnUnload::Refuse).unwrap_err().to_string().contains("1 sessions"));
    assert!(registry.delete("models/load", "", false).is_err());
    drop(pin);
    registry.delete("models/load", "", false).unwrap();
    assert!(registry.names().is_empty() && opened(&folder).names().is_empty());
}

#[test]
fn what_an_interrupted_import_left_is_swept_and_a_changed_file_does_not_load() {
    let folder = Folder::new("swept");
    let name =
        opened(&folder).add("load", &hourly_model().to_bytes().unwrap(), "").unwrap().revision().to_string();
    let id = name.rsplit('/').next().unwrap();
    let place = folder.join("data/models/load");
    std::fs::create_dir_all(place.join(".0123456789ab.partial")).unwrap();
    std::fs::write(place.join(".0123456789ab.partial/model.longcast"), b"half of it").unwrap();
    std::fs::write(place.join(".model.json.partial"), b"{").unwrap();
    assert_eq!(opened(&folder).resolve("models/load").unwrap().revision(), name);
    assert!(
        std::fs::read_dir(&place).unwrap().all(|entry| !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".partial"))
    );

    let file = place.join(id).join("model.longcast");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() - 9;
    bytes[at] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    let registry = opened(&folder);
    assert!(registry.resolve("models/load").is_err());
    let error = registry.load(&name).unwrap_err().to_string();
    assert!(error.contains("SHA-256"), "{error}");
}
