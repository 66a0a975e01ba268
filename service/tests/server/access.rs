//! Who may call what: every call there is, without a token, with a wrong one, with each scope.

use bytes::Bytes;
use longcast::operation::access::{Access, RPCS, Scope};
use longcast::operation::{Config, TokenEntry};
use longcast::registry::Registry;
use longcast::server::Reason;
use prost::Message;
use prost_types::FileDescriptorSet;
use sha2::{Digest, Sha256};
use tonic::Code;

use crate::errors::details;
use crate::exchange::{Running, config, hourly_model};
use crate::raw::call;

/// A server that knows one token for each scope, named after it.
async fn guarded() -> Running {
    let registry = Registry::in_memory(Config::default().registry);
    registry.add("load", &hourly_model().to_bytes().unwrap(), "").unwrap();
    let tokens = Scope::ALL.map(|scope| TokenEntry {
        name: scope.name().to_string(),
        digest: Sha256::digest(token(scope)).into(),
        scopes: vec![scope],
    });
    let mut config = config(&[("admin.port", "0")]);
    config.tokens = tokens.to_vec();
    Running::of(registry, &config).await
}

fn token(scope: Scope) -> String {
    format!("secret-of-{}", scope.name())
}

/// Every method of every service of the descriptors, as a path.
fn described() -> Vec<String> {
    let sets = [
        forecast_proto::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let mut paths = Vec::new();
    for set in sets {
        for file in FileDescriptorSet::decode(set).unwrap().file {
            for service in &file.service {
                let of_method = |method: &prost_types::MethodDescriptorProto| {
                    format!("/{}.{}/{}", file.package(), service.name(), method.name())
                };
                paths.extend(service.method.iter().map(of_method));
            }
        }
    }
    paths.sort();
    paths
}

#[test]
fn the_table_has_every_call_of_the_descriptors_and_no_other() {
    let mut known: Vec<String> = RPCS.iter().map(|rpc| rpc.path.to_string()).collect();
    known.sort();
    assert_eq!(known, described());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_asks_for_its_scope_before_anything_else() {
    let running = guarded().await;
    let ports = [running.channel().await, running.admin_channel().await];
    for channel in &ports {
        for rpc in RPCS {
            let outcome = |authorization: Option<String>| async move {
                let answer = call(channel, rpc.path, Bytes::new(), authorization.as_deref()).await;
                answer.err()
            };
            let is_let_in = |status: &Option<tonic::Status>| {
                !status.as_ref().is_some_and(|status| {
                    matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied)
                })
            };
            let wrong = [
                (None, Reason::TokenMissing),
                (Some("Bearer wrong".to_string()), Reason::TokenUnknown),
                (Some(format!("Basic {}", token(Scope::Admin))), Reason::TokenUnknown),
                (Some("Bearer ".to_string() + &"x".repeat(5000)), Reason::TokenUnknown),
            ];
            for (authorization, reason) in wrong {
                let status = outcome(authorization).await;
                match rpc.access {
                    Access::Open => assert!(is_let_in(&status), "{}: {status:?}", rpc.path),
                    _ => {
                        let status = status.unwrap_or_else(|| panic!("{} let a stranger in", rpc.path));
                        details(&status, reason);
                    }
                }
            }
            for scope in Scope::ALL {
                let status = outcome(Some(format!("Bearer {}", token(scope)))).await;
                let may = match rpc.access {
                    Access::Open | Access::AnyToken => true,
                    Access::Scope(needed) => needed == scope,
                };
                assert_eq!(is_let_in(&status), may, "{} with {}: {status:?}", rpc.path, scope.name());
                if !may {
                    let details = details(&status.unwrap(), Reason::ScopeMissing);
                    assert!(details.error_info().unwrap().metadata.contains_key("scope"));
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_does_not_exist_is_unimplemented_and_tells_strangers_nothing() {
    let running = guarded().await;
    let channel = running.channel().await;
    let path = "/longcast.v1.ForecastService/Guess";
    let stranger = call(&channel, path, Bytes::new(), None).await.unwrap_err();
    details(&stranger, Reason::TokenMissing);
    let known = call(&channel, path, Bytes::new(), Some("Bearer secret-of-forecast")).await.unwrap_err();
    details(&known, Reason::MethodUnknown);
    // What operators call is on their port only.
    let admin = "/longcast.v1.ModelAdminService/DeleteModel";
    let elsewhere = call(&channel, admin, Bytes::new(), Some("Bearer secret-of-admin")).await.unwrap_err();
    details(&elsewhere, Reason::MethodUnknown);
}
