//! Health checks for the server, each service and each model.

use std::time::Duration;

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::registry::Registry;

/// Watches end so long after the server has said that it stops: they have no end of their own.
const FAREWELL: Duration = Duration::from_secs(1);

/// Says how services and models are.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    reporter: HealthReporter,
    /// Full names, and the empty one for the server.
    services: Vec<&'static str>,
}

impl Health {
    pub(crate) async fn new(reporter: HealthReporter, services: Vec<&'static str>) -> Self {
        for service in &services {
            reporter.set_service_status(*service, ServingStatus::Serving).await;
        }
        Health { reporter, services }
    }

    /// Follows the registry: a model is `models/{m}`, serving while its plain name answers.
    pub(crate) async fn follow(mut self, registry: Registry) {
        let mut changes = registry.changes();
        let mut known: Vec<String> = Vec::new();
        loop {
            changes.borrow_and_update();
            let names = registry.names();
            for gone in known.iter().filter(|name| !names.contains(name)) {
                self.reporter.clear_service_status(&model(gone)).await;
            }
            for name in &names {
                let is_serving = registry.resolve(&model(name)).is_ok();
                let status = if is_serving { ServingStatus::Serving } else { ServingStatus::NotServing };
                self.reporter.set_service_status(model(name), status).await;
            }
            known = names;
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Says that everything stops, and ends the watches a little later, so that they do not hold up the drain.
    pub(crate) async fn stop(mut self, registry: &Registry) {
        let models = registry.names();
        let all =
            || self.services.iter().map(ToString::to_string).chain(models.iter().map(|name| model(name)));
        let all: Vec<String> = all().collect();
        for name in &all {
            self.reporter.set_service_status(name, ServingStatus::NotServing).await;
        }
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            for name in &all {
                self.reporter.clear_service_status(name).await;
            }
        });
    }
}

fn model(id: &str) -> String {
    format!("models/{id}")
}
