//! Where networks are trained: the CPU, or a device that the program was built for.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;

use crate::{Error, Result};

/// A device to train on. Forecasts run on the CPU, whatever trained the network.
///
/// # Example
/// ```
/// use forecast::nn::DeviceKind;
/// assert_eq!("cpu".parse::<DeviceKind>()?, DeviceKind::Cpu);
/// let error = "gpu".parse::<DeviceKind>().unwrap_err().to_string();
/// assert_eq!(error, "device is gpu, but it must be one of cpu, wgpu, cuda");
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceKind {
    /// The CPU, with kernels of our own; always there.
    #[default]
    Cpu,
    /// A graphics processor by Vulkan, Metal or DirectX, with the feature `wgpu`.
    Wgpu,
    /// A graphics processor of NVIDIA, with the feature `cuda`.
    Cuda,
}

impl DeviceKind {
    const NAMES: [(&'static str, DeviceKind); 3] =
        [("cpu", DeviceKind::Cpu), ("wgpu", DeviceKind::Wgpu), ("cuda", DeviceKind::Cuda)];

    /// The device, without gradients.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the program was built without it, or if there is none in this machine.
    pub(crate) fn device(self) -> Result<Device> {
        match self {
            DeviceKind::Cpu => Ok(Device::flex()),
            DeviceKind::Wgpu => wgpu(),
            DeviceKind::Cuda => cuda(),
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.into_iter().find(|(_, device)| device == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

impl FromStr for DeviceKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let named = Self::NAMES.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, device)| device).ok_or_else(|| {
            let names = Self::NAMES.map(|(name, _)| name).join(", ");
            Error::option("device", text, format!("it must be one of {names}"))
        })
    }
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Result<Device> {
    use std::sync::OnceLock;
    // A device is set up once in a process.
    static DEVICE: OnceLock<Result<Device, String>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| Device::wgpu_options().init().map_err(|error| error.to_string()));
    device.clone().map_err(|reason| {
        Error::option("device", "wgpu", format!("this machine has none that works ({reason}); use cpu"))
    })
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Result<Device> {
    Err(missing("wgpu"))
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Device> {
    Ok(Device::cuda(0))
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Device> {
    Err(missing("cuda"))
}

#[cfg(not(all(feature = "wgpu", feature = "cuda")))]
fn missing(name: &str) -> Error {
    let rule = format!("this program was built without it; build it with --features {name}, or use cpu");
    Error::option("device", name, rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_others_are_named_with_the_feature_they_need() {
        assert_eq!(DeviceKind::default().device().unwrap(), Device::flex());
        #[cfg(not(feature = "cuda"))]
        assert_eq!(
            DeviceKind::Cuda.device().unwrap_err().to_string(),
            "device is cuda, but this program was built without it; build it with --features cuda, or use cpu"
        );
    }
}
