//! Rows of observations as text, line by line, as they come.

use std::collections::HashMap;
use std::io::BufRead;

use forecast::data::parse_stamps;

use crate::cli::args::SessionArguments;
use crate::cli::failure::Failure;

/// Names of columns that hold time stamps and series ids, unless it is said.
const TIME_COLUMNS: [&str; 4] = ["ds", "timestamp", "time", "date"];
const ID_COLUMNS: [&str; 3] = ["unique_id", "item_id", "series_id"];
/// Whole numbers from here on are times since 1970: seconds, then thousandths, millionths and billionths.
const FIRST_EPOCH: i64 = 100_000_000;

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Which series it is of.
    pub(crate) series: u32,
    /// Its time stamp.
    pub(crate) time: i64,
    /// One value a channel; NaN where a cell is empty.
    pub(crate) values: Vec<f64>,
}

/// Reads rows of a table with a header; cells hold no line ends.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    lines: R,
    time: usize,
    id: Option<usize>,
    /// The column of each channel.
    channels: Vec<usize>,
    n_columns: usize,
    series: HashMap<String, u32>,
    /// Lines that were read.
    n_lines: u64,
    /// Whether stamps are plain whole numbers.
    is_integer: bool,
}

impl<R: BufRead> Rows<R> {
    /// Reads the header and finds the columns of some series and channels.
    ///
    /// # Errors
    /// If there is no header, or a column is missing.
    pub(crate) fn begin(
        mut lines: R,
        arguments: &SessionArguments,
        series: &[String],
        channels: &[String],
    ) -> Result<Self, Failure> {
        let mut line = String::new();
        lines.read_line(&mut line).map_err(|error| unreadable(&error))?;
        let header = cells(&line);
        let find = |name: &str| header.iter().position(|column| column == name);
        let known = header.join(", ");
        let missing = |what: &str, name: &str| {
            Failure::User(format!("the input has no column \"{name}\" {what}; its columns are {known}"))
        };
        if line.trim().is_empty() {
            return Err(Failure::User("the input is empty; it needs a header such as ds,y".to_string()));
        }
        let time = match &arguments.time_col {
            Some(name) => find(name).ok_or_else(|| missing("for --time-col", name))?,
            None => TIME_COLUMNS.iter().find_map(|name| find(name)).unwrap_or(0),
        };
        let id = match &arguments.id_col {
            Some(name) => Some(find(name).ok_or_else(|| missing("for --id-col", name))?),
            None => ID_COLUMNS.iter().find_map(|name| find(name)),
        };
        if id.is_none() && series.len() > 1 {
            let rule =
                format!("it has none, but the session has {} series: add a column unique_id", series.len());
            return Err(Failure::option("the column of series ids", "not given", &rule));
        }
        let others: Vec<usize> = (0..header.len()).filter(|at| *at != time && Some(*at) != id).collect();
        // By name; a single column of values may be called anything.
        let channels = match (channels, &others[..]) {
            ([_], [only]) => vec![*only],
            _ => channels
                .iter()
                .map(|name| find(name).ok_or_else(|| missing("for a channel of the model", name)))
                .collect::<Result<_, _>>()?,
        };
        let series = series.iter().zip(0..).map(|(id, at)| (id.clone(), at)).collect();
        let n_columns = header.len();
        Ok(Rows { lines, time, id, channels, n_columns, series, n_lines: 1, is_integer: false })
    }

    /// Whether stamps are plain whole numbers, as far as rows were read.
    pub(crate) fn is_integer(&self) -> bool {
        self.is_integer
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// With the line that cannot be read.
    pub(crate) fn next(&mut self) -> Result<Option<Row>, Failure> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).map_err(|error| unreadable(&error))? == 0 {
                return Ok(None);
            }
            self.n_lines += 1;
            if !line.trim().is_empty() {
                return self.row(&line).map(Some);
            }
        }
    }

    fn row(&mut self, line: &str) -> Result<Row, Failure> {
        let at = self.n_lines;
        let bad = |what: String| Failure::User(format!("line {at} of the input: {what}"));
        let cells = cells(line);
        if cells.len() != self.n_columns {
            return Err(bad(format!("it has {} cells, but the header has {}", cells.len(), self.n_columns)));
        }
        let series = match self.id.map(|id| &cells[id]) {
            None => 0,
            Some(id) => *self.series.get(id).ok_or_else(|| {
                let mut known: Vec<&str> = self.series.keys().map(String::as_str).take(5).collect();
                known.sort_unstable();
                bad(format!("the session has no series \"{id}\"; it has {}", known.join(", ")))
            })?,
        };
        let text = &cells[self.time];
        let time = match text.parse::<i64>() {
            Ok(number) => {
                self.is_integer = number < FIRST_EPOCH;
                since_1970(number)
            }
            Err(_) => {
                let (stamps, _) = parse_stamps(std::slice::from_ref(text))
                    .map_err(|_| bad(format!("cannot read \"{text}\" as a time stamp")))?;
                stamps.first().copied().ok_or_else(|| bad("it has no time stamp".to_string()))?
            }
        };
        let number = |cell: &String| match cell.as_str() {
            "" | "NA" | "NaN" | "nan" | "null" => Ok(f64::NAN),
            text => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number),
                _ => Err(bad(format!("\"{text}\" is not a number"))),
            },
        };
        let values = self.channels.iter().map(|column| number(&cells[*column])).collect::<Result<_, _>>()?;
        Ok(Row { series, time, values })
    }
}

/// A whole number as nanoseconds since 1970, or as the index that it is.
fn since_1970(number: i64) -> i64 {
    match number {
        ..FIRST_EPOCH => number,
        FIRST_EPOCH..100_000_000_000 => number.saturating_mul(1_000_000_000),
        100_000_000_000..100_000_000_000_000 => number.saturating_mul(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.saturating_mul(1_000),
        _ => number,
    }
}

/// The cells of a line: separated by commas, in quotes where they hold one.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim_end_matches(['\n', '\r']);
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    let (mut all, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => all.push(std::mem::take(&mut cell).trim().to_string()),
            _ => cell.push(letter),
        }
    }
    all.push(cell.trim().to_string());
    all
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::User(format!("cannot read the input: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        session: SessionArguments,
    }

    fn read(text: &str, flags: &[&str], series: &[&str], channels: &[&str]) -> Result<Vec<Row>, String> {
        let typed = Typed::parse_from(["x", "s"].iter().chain(flags));
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>();
        let told = |failure| match failure {
            Failure::User(message) => message,
            other => format!("{other:?}"),
        };
        let rows = Rows::begin(text.as_bytes(), &typed.session, &names(series), &names(channels));
        let mut rows = rows.map_err(told)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(told)? {
            all.push(row);
        }
        Ok(all)
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let text = "y,unique_id,ds\n1.5,b,2024-01-01 00:00:00\n\n,\"a\",2024-01-01T01:00:00Z\n";
        let rows = read(text, &[], &["a", "b"], &["load"]).unwrap();
        assert_eq!(rows[0], Row { series: 1, time: 1_704_067_200_000_000_000, values: vec![1.5] });
        assert_eq!((rows[1].series, rows[1].time), (0, 1_704_070_800_000_000_000));
        assert!(rows[1].values[0].is_nan());
        let rows = read("t,b,a\n7,2,1\n", &[], &["s"], &["a", "b"]).unwrap();
        assert_eq!(rows, [Row { series: 0, time: 7, values: vec![1.0, 2.0] }]);
    }

    #[test]
    fn whole_numbers_are_times_by_their_size() {
        for (text, time) in [
            ("99", 99),
            ("1704067200", 1_704_067_200_000_000_000),
            ("1704067200001", 1_704_067_200_001_000_000),
        ] {
            assert_eq!(read(&format!("ds,y\n{text},1\n"), &[], &["s"], &["y"]).unwrap()[0].time, time);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (text, flags, part) in [
            ("", &[][..], "the input is empty"),
            ("ds,y\n1,2\n3\n", &[], "line 3 of the input: it has 1 cells"),
            ("ds,y\nnoon,2\n", &[], "line 2 of the input: cannot read \"noon\""),
            ("ds,y\n1,two\n", &[], "\"two\" is not a number"),
            ("ds,y\n1,inf\n", &[], "\"inf\" is not a number"),
            ("ds,y\n1,2\n", &["--time-col", "at"], "no column \"at\" for --time-col"),
            ("ds,unique_id,y\n1,c,2\n", &[], "no series \"c\"; it has a, b"),
        ] {
            let message = read(text, flags, &["a", "b"][..1 + usize::from(text.contains("unique"))], &["y"]);
            let message = message.unwrap_err();
            assert!(message.contains(part), "{message}");
        }
        assert!(read("ds,y\n", &[], &["a", "b"], &["y"]).unwrap_err().contains("unique_id"));
        assert!(read("ds,a\n", &[], &["s"], &["a", "b"]).unwrap_err().contains("no column \"b\""));
    }
}
