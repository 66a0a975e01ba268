//! Files that are not there, not what their name says, or not whole.

use std::path::PathBuf;

use forecast::data::{Cells, Format, Zone, encode};
use forecast::{Panel, ReadOptions};

use crate::{message, refused};

/// A folder of this test's own, removed when it goes out of scope.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("longcast-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    /// The message that reading a file with these bytes gives, without the name of the folder.
    fn refused(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.0.join(name), bytes).unwrap();
        self.read(name)
    }

    fn read(&self, name: &str) -> String {
        let message = message(Panel::read(self.0.join(name), &ReadOptions::default()));
        message.replace(&self.0.join("").display().to_string(), "")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Best effort: a folder that stays behind fails no test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_missing_file_is_named_with_the_hint_to_check_the_path() {
    let message = Folder::new("missing-file").read("nowhere.csv");
    assert!(message.starts_with("cannot read \"nowhere.csv\": "), "{message}");
    assert!(message.ends_with("; check the path"), "{message}");
}

#[test]
fn a_missing_file_is_missing_whatever_its_extension() {
    let message = Folder::new("missing-xlsx").read("nowhere.xlsx");
    assert!(message.starts_with("cannot read \"nowhere.xlsx\": "), "{message}");
}

#[test]
fn a_folder_in_place_of_a_file_is_called_a_folder() {
    let folder = Folder::new("folder");
    std::fs::create_dir(folder.0.join("load.csv")).unwrap();
    assert_eq!(
        folder.read("load.csv"),
        "\"load.csv\" is a folder that holds no file of a known format; name a file or a pattern such as data/*.csv"
    );
}

#[test]
fn an_unknown_extension_lists_the_known_ones() {
    let folder = Folder::new("extension");
    let known = "csv, tsv, parquet, arrow, feather, ipc, arrows, ndjson or json";
    for name in ["load.xlsx", "load", "load.gz"] {
        let expected = format!("\"{name}\" has no known format; use one of {known}");
        assert_eq!(folder.refused(name, b"ds,y\n1,2\n"), expected);
    }
}

#[test]
fn json_without_rows_or_with_other_things_than_rows_says_how_to_write_them() {
    let folder = Folder::new("json");
    assert_eq!(folder.refused("load.json", b"[]"), "cannot read \"load.json\" as JSON: it has no rows");
    let message = folder.refused("load.json", b"[7,\"epoch\",1,2]");
    assert!(message.contains("row 1 is a single value, not an object; write one object a row"), "{message}");
}

#[test]
fn text_that_is_not_utf8_names_line_byte_and_the_command_that_converts_it() {
    let message = Folder::new("latin1").refused("load.csv", b"ds,y\n1,2\n2,\xe9\n");
    assert_eq!(
        message,
        "\"load.csv\" is not UTF-8: line 3 holds the byte 0xe9; convert it first, for example with \
         `iconv -f latin1 -t utf-8`"
    );
}

#[test]
fn an_empty_file_has_no_data() {
    for text in ["", "\n"] {
        assert_eq!(refused(text), "cannot read \"load.csv\" as CSV: it has no rows");
    }
}

#[test]
fn a_header_alone_has_no_rows() {
    for text in ["ds,y", "ds,y\n"] {
        assert_eq!(refused(text), "cannot read \"load.csv\" as CSV: it has no rows");
    }
}

#[test]
fn a_quote_that_is_never_closed_is_told_with_the_fix() {
    assert_eq!(
        refused("ds,y\n2024-01-01,1\n2024-01-02,\"2\n2024-01-03,3\n"),
        "cannot read \"load.csv\" as CSV: a quote is opened in row 2 and never closed; close it, or drop it"
    );
}

#[test]
fn a_line_with_too_many_cells_is_refused() {
    let message = refused("ds,y\n1,10\n2,20,21\n3,30\n");
    assert!(message.starts_with("\"load.csv\", row 2 has 3 cells, but the header has 2;"), "{message}");
}

#[test]
fn text_under_the_name_of_a_binary_format_says_which_format_was_tried() {
    let folder = Folder::new("binary");
    for (name, format) in [("load.parquet", "Parquet"), ("load.arrow", "Arrow IPC")] {
        for bytes in [&b""[..], b"ds,y\n1,2\n2,3\n"] {
            let message = folder.refused(name, bytes);
            let expected = format!("cannot read \"{name}\" as {format}: ");
            assert!(message.starts_with(&expected) && message.len() > expected.len(), "{message}");
        }
    }
}

#[test]
fn a_binary_file_cut_off_at_any_length_is_refused() {
    let folder = Folder::new("cut-off");
    let hours: Vec<i64> = (0..20).map(|hour| hour * 3_600_000_000_000).collect();
    let values = (0..20).map(f64::from).collect();
    let table =
        [("ds".to_string(), Cells::Stamps(hours, Zone::Local)), ("y".to_string(), Cells::Numbers(values))];
    for (name, format) in [("load.parquet", Format::Parquet), ("load.arrow", Format::Arrow)] {
        let whole = encode(&table, format).unwrap();
        for len in 0..whole.len() {
            let message = folder.refused(name, &whole[..len]);
            assert!(message.starts_with(&format!("cannot read \"{name}\" as ")), "{len}: {message}");
        }
        std::fs::write(folder.0.join(name), &whole).unwrap();
        let panel = Panel::read(folder.0.join(name), &ReadOptions::default()).unwrap();
        assert_eq!(panel.series()[0].n_steps(), 20, "the whole file has to be good");
    }
}
