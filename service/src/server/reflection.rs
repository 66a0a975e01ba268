//! Reflection: what the port describes of itself; the calls that change the registry are not among it.

use forecast_proto::v1::model_admin_service_server::SERVICE_NAME as ADMIN;
use prost::Message;
use prost_types::FileDescriptorSet;

/// The descriptors of `longcast.v1` without the services that operators call.
///
/// # Errors
/// That of a descriptor set that does not decode.
pub(super) fn public_descriptors() -> Result<FileDescriptorSet, prost::DecodeError> {
    let mut set = FileDescriptorSet::decode(forecast_proto::FILE_DESCRIPTOR_SET)?;
    for file in &mut set.file {
        let package = file.package().to_string();
        file.service.retain(|service| format!("{package}.{}", service.name()) != ADMIN);
    }
    Ok(set)
}
