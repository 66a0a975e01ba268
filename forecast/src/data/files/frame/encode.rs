//! Tables into the bytes of a format.

use polars::prelude::{
    Column, CsvWriter, DataFrame, Float64Chunked, Int64Chunked, IntoColumn, IpcStreamWriter, IpcWriter,
    NamedFrom, NewChunkedArray, ParquetWriter, PlSmallStr, SerWriter, Series, TimeUnit,
};

use super::internal;
use crate::Result;
use crate::data::files::cells::{Cells, encode_json, encode_json_lines};
use crate::data::files::format::Format;
use crate::data::time::zone::Zone;

/// The bytes of a table in a format. Numbers keep every bit: the text form is the shortest that reads back equal.
///
/// # Errors
/// [`Error::Internal`](crate::Error::Internal) if columns differ in length.
pub fn encode(columns: &[(String, Cells)], format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Json => return encode_json(columns),
        Format::NdJson => return encode_json_lines(columns),
        _ => {}
    }
    let mut table = to_frame(columns, format == Format::Csv)?;
    let mut bytes = Vec::new();
    match format {
        Format::Csv | Format::Json | Format::NdJson => CsvWriter::new(&mut bytes).finish(&mut table),
        Format::Parquet => ParquetWriter::new(&mut bytes).finish(&mut table).map(|_| ()),
        Format::Arrow => IpcWriter::new(&mut bytes).finish(&mut table),
        Format::ArrowStream => IpcStreamWriter::new(&mut bytes).finish(&mut table),
    }
    .map_err(internal)?;
    Ok(bytes)
}

pub(super) fn to_frame(columns: &[(String, Cells)], stamps_as_text: bool) -> Result<DataFrame> {
    let columns = columns.iter().map(|(name, cells)| to_column(name, cells, stamps_as_text));
    DataFrame::new_infer_height(columns.collect::<Result<_>>()?).map_err(internal)
}

fn to_column(name: &str, cells: &Cells, stamps_as_text: bool) -> Result<Column> {
    let name = PlSmallStr::from_str(name);
    Ok(match cells {
        Cells::Text(text) => Series::new(name, text).into_column(),
        Cells::Integers(integers) => Series::new(name, integers).into_column(),
        Cells::Numbers(numbers) if !numbers.iter().any(|number| number.is_nan()) => {
            Float64Chunked::from_slice(name, numbers).into_column()
        }
        Cells::Numbers(numbers) => {
            let cells: Vec<Option<f64>> =
                numbers.iter().map(|v| if v.is_nan() { None } else { Some(*v) }).collect();
            Series::new(name, cells).into_column()
        }
        Cells::Stamps(..) if stamps_as_text => {
            return to_column(&name, &cells.clone().with_told_stamps(), true);
        }
        Cells::Stamps(stamps, zone) => {
            let zone = match zone {
                Zone::Local => None,
                Zone::Named(_) => Some(polars::prelude::TimeZone::UTC),
            };
            // A cast would drop the zone.
            let stamps = Int64Chunked::from_slice(name, stamps);
            stamps.into_datetime(TimeUnit::Nanoseconds, zone).into_column()
        }
    })
}
