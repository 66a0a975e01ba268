//! The protos of Longcast's gRPC service and the code made from them: messages, client, server.
//!
//! This crate holds no logic and no conversions. The protos and their comments say what each
//! message means; the rules that hold everywhere are these:
//!
//! - Times are nanoseconds since 1970-01-01T00:00:00Z.
//! - In a request NaN marks a missing value, and infinities are rejected. In a forecast every
//!   number is finite.
//! - Arrays of values are time-major, `(step, channel)`: for a model of `C` channels the value of
//!   channel `c` at step `t` is element `t * C + c`.
//! - Quantile levels and interval coverages are fractions in (0, 1).
//!
//! # Example
//! ```
//! use forecast_proto::v1::{
//!     ForecastRequest, ForecastSpec, RegularAxis, Series, TimeAxis, regular_axis, time_axis,
//! };
//!
//! // Three hours of one series, the second of them missing; the forecast covers a day.
//! let request = ForecastRequest {
//!     model: "models/load".to_owned(),
//!     series: Some(Series {
//!         series_id: "load-7".to_owned(),
//!         axis: Some(TimeAxis {
//!             axis: Some(time_axis::Axis::Regular(RegularAxis {
//!                 start_unix_nano: 1_700_000_000_000_000_000,
//!                 step: Some(regular_axis::Step::StepNano(3_600_000_000_000)),
//!                 ..RegularAxis::default()
//!             })),
//!         }),
//!         values: vec![41.5, f64::NAN, 40.0],
//!         ..Series::default()
//!     }),
//!     spec: Some(ForecastSpec {
//!         horizon: 24,
//!         interval_coverages: vec![0.8, 0.95],
//!         ..ForecastSpec::default()
//!     }),
//! };
//! assert_eq!(request.series.map(|series| series.values.len()), Some(3));
//! ```

/// Package `longcast.v1`: one type for each message, and
/// [`forecast_service_client`](v1::forecast_service_client) and
/// [`forecast_service_server`](v1::forecast_service_server).
///
/// `google.rpc.Status` is [`tonic_types::Status`].
// Clippy has no say in code that no one edits. `missing_docs` stays on: the documentation comes
// from the comments of the protos.
#[allow(clippy::all, clippy::too_many_lines)]
pub mod v1 {
    include!("generated/longcast.v1.rs");
}

/// The descriptors of `longcast.v1` and of everything it imports, for server reflection: an
/// encoded `google.protobuf.FileDescriptorSet` without comments.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptor_set.bin");
