//! `ModelService`: reading the registry.

use forecast_proto::v1;
use forecast_proto::v1::model_service_server::ModelService;
use tonic::{Request, Response, Status};

use super::model_messages::{model_message, page, revision_of};
use crate::registry::Registry;

/// Reads the registry.
#[derive(Debug)]
pub(crate) struct ModelReads {
    registry: Registry,
}

impl ModelReads {
    pub(crate) fn new(registry: Registry) -> Self {
        ModelReads { registry }
    }
}

#[tonic::async_trait]
impl ModelService for ModelReads {
    async fn get_model(
        &self,
        request: Request<v1::GetModelRequest>,
    ) -> Result<Response<v1::GetModelResponse>, Status> {
        let view = self.registry.model(&request.into_inner().name)?;
        Ok(Response::new(v1::GetModelResponse { model: Some(model_message(view)) }))
    }

    async fn list_models(
        &self,
        request: Request<v1::ListModelsRequest>,
    ) -> Result<Response<v1::ListModelsResponse>, Status> {
        let request = request.into_inner();
        let names = self.registry.names().into_iter().filter(|name| name.contains(&request.filter)).collect();
        let (names, next_page_token) = page(names, String::clone, request.page_size, &request.page_token)?;
        // A model that was deleted meanwhile is left out.
        let views = names.iter().filter_map(|id| self.registry.model(&format!("models/{id}")).ok());
        let models = views.map(model_message).collect();
        Ok(Response::new(v1::ListModelsResponse { models, next_page_token }))
    }

    async fn get_model_revision(
        &self,
        request: Request<v1::GetModelRevisionRequest>,
    ) -> Result<Response<v1::GetModelRevisionResponse>, Status> {
        let view = self.registry.revision(&request.into_inner().name)?;
        let model_revision = Some(revision_of(&self.registry, view));
        Ok(Response::new(v1::GetModelRevisionResponse { model_revision }))
    }

    async fn list_model_revisions(
        &self,
        request: Request<v1::ListModelRevisionsRequest>,
    ) -> Result<Response<v1::ListModelRevisionsResponse>, Status> {
        let request = request.into_inner();
        let views = self.registry.revisions(&request.parent)?;
        let key = |view: &crate::registry::RevisionView| view.record.id.clone();
        let (views, next_page_token) = page(views, key, request.page_size, &request.page_token)?;
        let model_revisions = views.into_iter().map(|view| revision_of(&self.registry, view)).collect();
        Ok(Response::new(v1::ListModelRevisionsResponse { model_revisions, next_page_token }))
    }
}
