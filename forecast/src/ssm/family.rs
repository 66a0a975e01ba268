//! The state-space forecaster as a family: fitting, loading, and which of its two forms a model takes.
//!
//! A network whose settings allow it streams step by step ([`Stream`]); others read the window for each forecast
//! ([`NeuralFamily`]).

use burn::tensor::Device;

use super::StreamingForm;
use super::config::{CalendarUse, ChannelMixing, Decoder, RecurrenceForm};
use super::network::{NetworkShape, Ssm};
use super::plain::Plain;
use super::settings::SsmSettings;
use super::stream::Stream;
use crate::data::{CalendarFeatures, InputColumns, InputWidths, Step, TimeFeatures};
use crate::informer::{from_tensors, of_network, to_tensors};
use crate::model::{Family, LoadShape, Tensors, Training};
use crate::nn::{Control, NeuralFamily, TrainingEvent, TrainingReport, fit as train};
use crate::{Error, Result};

/// Trains one network on all series.
///
/// # Errors
/// [`Error::BadOption`] for settings, [`Error::TooShort`], [`Error::Diverged`], those of a checkpoint.
pub(crate) fn fit(
    settings: &SsmSettings,
    training: &Training<'_>,
    watch: &mut dyn FnMut(&TrainingEvent) -> Control,
) -> Result<Box<dyn Family>> {
    let Some(first) = training.series.first() else {
        return Err(Error::Internal("a training without series".to_string()));
    };
    // What cannot stream as asked is told before it is trained.
    settings.network.streams_by_step(&settings.mixer)?;
    let calendar = calendar(settings, first.index().step);
    let widths = training.inputs.map(InputColumns::widths).unwrap_or_default();
    let shape = NetworkShape {
        n_channels: training.channels.len(),
        n_marks: calendar.n_columns(first.index().step) + widths.known,
        n_past: widths.past,
        lookback: settings.lookback(),
        horizon: training.horizon,
    };
    let n_sequences = if settings.network.channels == ChannelMixing::Mixed { 1 } else { shape.n_channels };
    let ahead = if settings.network.decoder == Decoder::Mask { shape.horizon } else { 0 };
    let batch_size = settings.training.batch_size.unwrap_or(1);
    settings.network.check_batch(batch_size, n_sequences, shape.lookback.saturating_add(ahead))?;
    settings.network.check_outputs(batch_size, shape.horizon.saturating_mul(shape.n_channels))?;
    let network = Ssm::new(&settings.network, &settings.mixer, shape, &training.device.device()?.autodiff())?;
    let about = settings.about(training);
    let trained = train(network, training, &calendar, &settings.training, &about, watch)?;
    let tensors = to_tensors(&trained.network)?;
    // What forecasts is on a device without gradients.
    let network = Ssm::new(&settings.network, &settings.mixer, shape, &Device::flex())?;
    let network = from_tensors(network, &tensors)?;
    family(settings, network, (calendar, widths), tensors, Some(trained.report))
}

/// A network from its tensors.
///
/// # Errors
/// [`Error::Internal`] with the tensor whose shape is wrong; the caller knows the file.
pub(crate) fn load(settings: &SsmSettings, tensors: &Tensors, of: LoadShape) -> Result<Box<dyn Family>> {
    let calendar = calendar(settings, of.step);
    let LoadShape { n_channels, horizon, inputs: widths, .. } = of;
    let n_marks = calendar.n_columns(of.step) + widths.known;
    let (n_past, lookback) = (widths.past, settings.lookback());
    let shape = NetworkShape { n_channels, n_marks, n_past, lookback, horizon };
    let network = Ssm::new(&settings.network, &settings.mixer, shape, &Device::flex())?;
    let network = from_tensors(network, tensors)?;
    let tensors = of_network(tensors);
    family(settings, network, (calendar, widths), tensors, None)
}

/// The form that the settings allow.
fn family(
    settings: &SsmSettings,
    network: Ssm,
    (calendar, widths): (CalendarFeatures, InputWidths),
    tensors: Tensors,
    report: Option<TrainingReport>,
) -> Result<Box<dyn Family>> {
    if settings.network.streams_by_step(&settings.mixer)? {
        let form = match settings.network.recurrence {
            RecurrenceForm::Exact => StreamingForm::Exact,
            RecurrenceForm::Reduced => StreamingForm::Reduced { max_order: settings.network.max_order },
        };
        return Ok(Box::new(Stream {
            plain: Plain::new(&network, form)?,
            calendar,
            widths,
            tensors,
            report,
        }));
    }
    let n_channels = network.shape().n_channels;
    Ok(Box::new(NeuralFamily { network, calendar, n_channels, widths, tensors, report }))
}

/// What the calendar says of a step; nothing of an integer index.
fn calendar(settings: &SsmSettings, step: Step) -> CalendarFeatures {
    let time = match (step, settings.network.calendar) {
        (Step::Index(_), _) | (_, CalendarUse::None) => TimeFeatures::None,
        (_, CalendarUse::Features) => TimeFeatures::Informer,
    };
    CalendarFeatures { time, ..CalendarFeatures::default() }
}
