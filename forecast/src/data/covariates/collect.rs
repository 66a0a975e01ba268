//! Covariates of frames as numbers, in the order of their schema.
//!
//! Categories get codes in the order of their appearance, which become those of the vocabulary once all are known:
//! frames can be dropped while a file is read.

use std::collections::HashMap;

use super::declaration::CovariateDeclaration;
use super::encode::unseen;
use super::schema::{CovariateColumn, CovariateSchema, all_missing, named};
use super::vocabulary::{Vocabulary, check_number};
use crate::data::files::frame::{Frame, Kind};
use crate::data::files::text::present;
use crate::{Error, Result};

/// Covariates while their rows arrive.
#[derive(Debug)]
pub(in crate::data) struct CovariateRows {
    declaration: CovariateDeclaration,
    /// The schema of a model, whose categories are the only ones.
    known: Option<CovariateSchema>,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    codes: Codes,
    values: Vec<f64>,
}

/// How the cells of a column become numbers.
#[derive(Debug)]
enum Codes {
    /// They are numbers.
    Numbers,
    /// Codes in the order of appearance.
    Provisional(HashMap<String, u32>),
    /// The codes of a model.
    Known(Vocabulary),
}

impl CovariateRows {
    /// Collects what is declared; a schema, where there is one, stands in for the declaration.
    ///
    /// # Errors
    /// As [`CovariateDeclaration::check`].
    pub(in crate::data) fn new(
        declaration: &CovariateDeclaration,
        known: Option<&CovariateSchema>,
    ) -> Result<Self> {
        let (columns, start): (CovariateSchema, fn(&CovariateColumn) -> Codes) = match known {
            Some(schema) => {
                (schema.clone(), |column| column.vocabulary.clone().map_or(Codes::Numbers, Codes::Known))
            }
            None => (CovariateSchema::of_categories(declaration, |_, _| Ok(Vec::new()))?, |column| {
                column.vocabulary.as_ref().map_or(Codes::Numbers, |_| Codes::Provisional(HashMap::new()))
            }),
        };
        let columns = columns.columns().iter().map(|column| Column {
            name: column.name.clone(),
            codes: start(column),
            values: Vec::new(),
        });
        Ok(CovariateRows {
            columns: columns.collect(),
            declaration: declaration.clone(),
            known: known.cloned(),
        })
    }

    /// How many columns there are.
    pub(in crate::data) fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// True if the codes of some column are not final before all rows are read.
    pub(in crate::data) fn are_provisional(&self) -> bool {
        self.columns.iter().any(Column::is_provisional)
    }

    /// Takes note of the categories of a frame, and keeps nothing else of its rows.
    pub(in crate::data) fn note(&mut self, frame: &Frame) -> Result<()> {
        self.columns.iter_mut().filter(|column| column.is_provisional()).try_for_each(|column| {
            column.push(frame)?;
            column.values.clear();
            Ok(())
        })
    }

    /// The schema with the categories that were noted in so many rows.
    ///
    /// # Errors
    /// As [`CovariateSchema::fit`].
    pub(in crate::data) fn noted(&self, input: &str, n_rows: usize) -> Result<CovariateSchema> {
        CovariateSchema::of_categories(&self.declaration, |name, _| {
            let Some(column) = self.columns.iter().find(|column| column.name == name) else {
                return Ok(Vec::new());
            };
            let categories = column.categories();
            if column.is_provisional() && categories.is_empty() {
                return Err(all_missing(input, name, n_rows));
            }
            Ok(categories)
        })
    }

    /// Adds the rows of a frame.
    pub(in crate::data) fn push(&mut self, frame: &Frame) -> Result<()> {
        self.columns.iter_mut().try_for_each(|column| column.push(frame))
    }

    /// The schema, once all rows were added; from here on the codes are those of its vocabularies.
    ///
    /// # Errors
    /// As [`CovariateSchema::fit`].
    pub(in crate::data) fn settle(&mut self, input: &str) -> Result<CovariateSchema> {
        if let Some(schema) = &self.known {
            return Ok(schema.clone());
        }
        let columns = &mut self.columns;
        CovariateSchema::of_categories(&self.declaration, |name, _| {
            let Some(column) = columns.iter_mut().find(|column| column.name == name) else {
                return Ok(Vec::new());
            };
            if column.values.iter().all(|value| value.is_nan()) {
                return Err(all_missing(input, name, column.values.len()));
            }
            Ok(column.categories())
        })
        .inspect(|schema| {
            for (column, settled) in self.columns.iter_mut().zip(schema.columns()) {
                column.recode(settled);
            }
        })
    }

    /// The values of the first `n` rows, a vector a column, which are forgotten.
    pub(in crate::data) fn take(&mut self, n: usize) -> impl Iterator<Item = Vec<f64>> {
        self.columns.iter_mut().map(move |column| {
            let rest = column.values.split_off(n);
            std::mem::replace(&mut column.values, rest)
        })
    }
}

impl Column {
    fn is_provisional(&self) -> bool {
        matches!(self.codes, Codes::Provisional(_))
    }

    fn push(&mut self, frame: &Frame) -> Result<()> {
        let Column { name, codes, values } = self;
        let kind = frame.kind(name)?;
        if matches!(codes, Codes::Numbers) {
            return match kind {
                Kind::Number | Kind::Integer | Kind::Text => frame.append_numbers(name, values),
                Kind::Stamp | Kind::Other => {
                    let place = format!("covariate \"{name}\" of \"{}\"", frame.input());
                    let rule = "it must hold numbers; declare the column categorical, or leave it out";
                    Err(Error::option(place, "no column of numbers", rule))
                }
            };
        }
        // Numbers are named as in text files: 2, not 2.0.
        if kind == Kind::Number {
            for (row, number) in frame.numbers(name)?.into_iter().enumerate() {
                let cell = (!number.is_nan()).then(|| number.to_string());
                values.push(codes.code(name, cell.as_deref(), frame, row)?);
            }
            return Ok(());
        }
        frame.each_text(name, |row, cell| {
            values.push(codes.code(name, present(cell), frame, row)?);
            Ok(())
        })
    }

    /// The categories by their provisional codes; none of numbers.
    fn categories(&self) -> Vec<String> {
        let Codes::Provisional(known) = &self.codes else { return Vec::new() };
        let mut categories: Vec<(u32, &String)> = known.iter().map(|(name, code)| (*code, name)).collect();
        categories.sort_unstable();
        categories.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn recode(&mut self, settled: &CovariateColumn) {
        let Some(vocabulary) = &settled.vocabulary else { return };
        let code = |name: &String| vocabulary.code(name).map_or(f64::NAN, |code| code as f64);
        let codes: Vec<f64> = self.categories().iter().map(code).collect();
        for value in self.values.iter_mut().filter(|value| !value.is_nan()) {
            *value = codes[*value as usize];
        }
        self.codes = Codes::Known(vocabulary.clone());
    }
}

impl Codes {
    /// The code of a cell; NaN where it is missing.
    fn code(&mut self, name: &str, cell: Option<&str>, frame: &Frame, row: usize) -> Result<f64> {
        let Some(cell) = cell else { return Ok(f64::NAN) };
        match self {
            Codes::Numbers => Ok(f64::NAN),
            Codes::Known(vocabulary) => match vocabulary.code(cell) {
                Some(code) => Ok(code as f64),
                None => Err(unseen(vocabulary, frame.input(), frame.row_number(row), name, cell)),
            },
            Codes::Provisional(known) => {
                if let Some(code) = known.get(cell) {
                    return Ok(f64::from(*code));
                }
                let code = known.len() as u32;
                known.insert(cell.to_string(), code);
                check_number(known.len()).map_err(|error| named(error, name))?;
                Ok(f64::from(code))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::data::{Cells, Format, ReadOptions};
    use crate::data::{CovariateDeclaration, Known, SeriesReader, Unseen, encode};
    use crate::{Panel, Result};

    fn options(json: &str) -> ReadOptions {
        let covariates: CovariateDeclaration =
            serde_json::from_str(&format!("{{\"covariates\": {json}}}")).unwrap();
        ReadOptions { covariates, ..ReadOptions::default() }
    }

    fn read(csv: &str, options: &ReadOptions) -> Result<Panel> {
        Panel::read_csv(csv.as_bytes(), "t.csv", options)
    }

    const LONG: &str = "unique_id,ds,y,t,sky,region\n\
        b,1,1,5,sun,007\na,1,2,6,rain,7\nb,2,3,,fog,007\na,2,4,8,NA,7\nb,3,5,9,sun,007\na,3,6,1.5,sun,7\n";
    const DECLARED: &str = r#"{"t": "past", "sky": {"known": "future", "kind": "categorical"},
        "region": {"known": "static", "kind": "categorical", "unseen": "unknown"}}"#;

    #[test]
    fn interleaved_series_get_their_own_covariates_and_sorted_categories() {
        let panel = read(LONG, &options(DECLARED)).unwrap();
        assert_eq!(panel.channels(), ["y"]);
        assert!(panel.report().notes.is_empty());
        let schema = panel.covariate_schema();
        let sky = schema.of(Known::Future)[0].vocabulary.as_ref().unwrap();
        assert_eq!(sky.categories(), ["fog", "rain", "sun"]);
        let region = schema.of(Known::Static)[0].vocabulary.as_ref().unwrap();
        assert_eq!(
            (region.categories(), region.unseen()),
            (&["007".into(), "7".into()][..], Unseen::Unknown)
        );
        let [b, a] = panel.series() else { panic!() };
        let told = |values: Vec<f64>| values.iter().map(f64::to_string).collect::<Vec<_>>();
        assert_eq!(told(b.covariates().past().column(0).to_vec()), ["5", "NaN", "9"]);
        assert_eq!(told(a.covariates().past().column(0).to_vec()), ["6", "8", "1.5"]);
        assert_eq!(told(b.covariates().future().column(0).to_vec()), ["2", "0", "2"]);
        assert_eq!(told(a.covariates().future().column(0).to_vec()), ["1", "NaN", "2"]);
        // Code 0 is the slot for regions that training did not have.
        assert_eq!(
            (b.covariates().static_values(), a.covariates().static_values()),
            (&[1.0][..], &[2.0][..])
        );
    }

    #[test]
    fn a_model_reads_by_its_own_categories_and_refuses_others_or_has_a_slot() {
        let schema = read(LONG, &options(DECLARED)).unwrap().covariate_schema().clone();
        let options = ReadOptions { covariate_schema: Some(schema.clone()), ..ReadOptions::default() };
        let panel = read("unique_id,ds,y,t,sky,region\nc,1,1,,sun,9\nc,2,2,,rain,9\n", &options).unwrap();
        let [c] = panel.series() else { panic!() };
        assert_eq!(c.covariates().future().column(0).to_vec(), [2.0, 1.0]);
        assert_eq!(c.covariates().static_values(), [0.0]);
        let error = read("unique_id,ds,y,t,sky,region\nc,1,1,,sun,9\nc,2,2,,snow,9\n", &options);
        let message = error.unwrap_err().to_string();
        let expected = "\"t.csv\", row 2: covariate \"sky\" is \"snow\", but the model knows fog, rain, sun;";
        assert!(message.starts_with(expected), "{message}");
        let both = ReadOptions { covariate_schema: Some(schema), ..self::options(r#"{"t": "past"}"#) };
        assert!(read(LONG, &both).unwrap_err().to_string().contains("one of the two"));
    }

    #[test]
    fn binary_files_and_json_have_the_covariates_of_text() {
        let declared = options(r#"{"price": "future", "k": {"known": "past", "kind": "categorical"}}"#);
        let table = [
            ("ds".to_string(), Cells::Integers(vec![1, 2, 3])),
            ("y".to_string(), Cells::Numbers(vec![1.0, f64::NAN, 3.0])),
            ("price".to_string(), Cells::Numbers(vec![0.1, 0.2, f64::NAN])),
            ("k".to_string(), Cells::Numbers(vec![2.0, 10.0, f64::NAN])),
        ];
        for format in [Format::Csv, Format::Parquet, Format::Arrow, Format::Json, Format::NdJson] {
            let bytes = encode(&table, format).unwrap();
            let panel = Panel::read_bytes(&bytes, "t", &declared).unwrap();
            assert_eq!(panel.channels(), ["y"], "{format:?}");
            let k = &panel.covariate_schema().of(Known::Past)[0];
            let categories = k.vocabulary.as_ref().unwrap().categories();
            // A text file keeps what was written: numbers print as 2.0 there.
            if format == Format::Parquet || format == Format::Arrow {
                assert_eq!(categories, ["10", "2"], "{format:?}");
            }
            let covariates = panel.series()[0].covariates();
            assert_eq!(covariates.past().column(0).to_vec()[..2], [1.0, 0.0], "{format:?}");
            assert_eq!(covariates.future().column(0).to_vec()[..2], [0.1, 0.2], "{format:?}");
            assert!(covariates.past()[[2, 0]].is_nan() && covariates.future()[[2, 0]].is_nan());
        }
    }

    #[test]
    fn wide_files_leave_covariates_out_of_the_channels_and_keep_notes_on_other_columns() {
        let csv = "ds,load,pv,temperature,who\n1,1,2,3,me\n2,4,5,6,you\n";
        let panel = read(csv, &options(r#"{"temperature": "future"}"#)).unwrap();
        assert_eq!(panel.channels(), ["load", "pv"]);
        assert_eq!(panel.report().notes, ["column \"who\" is not numbers and not used"]);
        assert_eq!(panel.series()[0].covariates().future().column(0).to_vec(), [3.0, 6.0]);
        let target = panel.select_channels(&["pv".to_string()]).unwrap();
        assert_eq!(target.series()[0].covariates().future().column(0).to_vec(), [3.0, 6.0]);
    }

    #[test]
    fn columns_with_two_parts_none_or_nothing_in_them_are_named() {
        let error = |csv: &str, json: &str| read(csv, &options(json)).unwrap_err().to_string();
        assert_eq!(
            error(LONG, r#"{"rain": "past"}"#),
            "\"t.csv\" has no column \"rain\"; its columns are unique_id, ds, y, t, sky, region"
        );
        assert!(error(LONG, r#"{"ds": "past"}"#).contains("\"ds\", but it is the time column"));
        assert!(error(LONG, r#"{"unique_id": "static"}"#).contains("it is the id column"));
        let targets = ReadOptions { target_columns: vec!["t".into()], ..options(r#"{"t": "past"}"#) };
        assert!(read(LONG, &targets).unwrap_err().to_string().contains("it is a target"));
        let empty = "ds,y,t\n1,2,\n2,3,NA\n";
        assert!(error(empty, r#"{"t": "past"}"#).contains("no observed value in covariate \"t\""));
        let words = "ds,y,t\n1,2,warm\n2,3,cold\n";
        assert!(error(words, r#"{"t": "past"}"#).contains("row 1: \"warm\" in column \"t\" is not a number"));
        let infinite = "ds,y,t\n1,2,3\n2,3,inf\n";
        assert!(error(infinite, r#"{"t": "past"}"#).contains("infinite value in \"t\" at 2"));
        let many: String = (0..10_001).map(|i| format!("{i},1,c{i}\n")).collect();
        let json = r#"{"k": {"known": "past", "kind": "categorical"}}"#;
        let message = error(&format!("ds,y,k\n{many}"), json);
        assert!(message.starts_with("number of categories of covariate \"k\" is 10001"), "{message}");
    }

    #[test]
    fn streamed_series_have_the_covariates_of_the_panel() {
        let sorted =
            "unique_id,ds,y,t,sky,region\na,1,2,6,rain,7\na,2,4,8,NA,7\nb,1,1,5,sun,007\nb,2,3,,fog,007\n";
        let path = std::env::temp_dir().join(format!("longcast-covariates-{}.csv", std::process::id()));
        std::fs::write(&path, sorted).unwrap();
        let declared = options(DECLARED);
        let panel = Panel::read(&path, &declared).unwrap();
        let open = |options: &ReadOptions| SeriesReader::open(std::slice::from_ref(&path), options, 1 << 30);
        let schema = Some(panel.covariate_schema().clone());
        for options in [&declared, &ReadOptions { covariate_schema: schema, ..ReadOptions::default() }] {
            let mut reader = open(options).unwrap();
            assert_eq!(reader.covariate_schema(), panel.covariate_schema());
            let shard = reader.next_shard(9).unwrap().unwrap();
            for (outcome, series) in shard.into_iter().zip(panel.series()) {
                let (a, b) = (outcome.series.unwrap(), series.covariates());
                assert_eq!(a.covariates().future().map(|v| v.to_bits()), b.future().map(|v| v.to_bits()));
                assert_eq!(a.covariates().static_values(), b.static_values());
            }
        }
        for (name, expected) in
            [("sky", "no observed value in covariate \"sky\""), ("s", "no column \"sky\"")]
        {
            std::fs::write(&path, format!("unique_id,ds,y,t,{name},region\na,1,2,6,,7\na,2,4,8,NA,7\n"))
                .unwrap();
            let message = open(&declared).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        std::fs::remove_file(path).unwrap();
    }
}
