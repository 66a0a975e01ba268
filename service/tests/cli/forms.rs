//! Long and wide files, calendar steps, integer indexes, and every input format.

use std::collections::BTreeSet;

use crate::run::{Folder, Table, bits, hourly, stamps, wave};

/// Three series in a long frame.
fn long(header: &str) -> String {
    let mut csv = format!("{header}\n");
    for (seed, id) in ["north", "south", "west"].into_iter().enumerate() {
        for (stamp, y) in stamps(400).iter().zip(wave(400, seed as u64)) {
            csv += &format!("{id},{stamp},{y}\n");
        }
    }
    csv
}

/// The same three as columns of a wide frame.
fn wide() -> String {
    let columns: Vec<Vec<f64>> = (0..3).map(|seed| wave(400, seed)).collect();
    let rows = stamps(400).into_iter().enumerate();
    let rows =
        rows.map(|(i, stamp)| format!("{stamp},{},{},{}\n", columns[0][i], columns[1][i], columns[2][i]));
    format!("date,north,south,west\n{}", rows.collect::<String>())
}

#[test]
fn a_long_file_gives_the_conventional_columns_for_every_series() {
    let folder = Folder::new("long");
    folder.write("long.csv", long("unique_id,ds,y"));
    folder.run("fit --order 24 --horizon 12 long.csv -o long.longcast").succeeded();
    let run = folder.run("forecast long.longcast --level 90 --quantiles 0.5").succeeded();
    let table = Table::csv(run.text());
    assert_eq!(table.header, ["unique_id", "ds", "ar", "ar-lo-90", "ar-hi-90", "ar-q-0.5"]);
    // The default horizon is the one that was calibrated.
    assert_eq!(table.text("unique_id"), [["north"; 12], ["south"; 12], ["west"; 12]].concat());
    assert_eq!(table.text("ds")[12..14], ["2024-01-17 16:00:00", "2024-01-17 17:00:00"]);
    let again = folder.run("forecast long.longcast long.csv --level 90 --quantiles 0.5").succeeded();
    assert_eq!(again.text(), run.text());
}

#[test]
fn names_of_other_libraries_are_recognised_and_any_name_can_be_given() {
    let folder = Folder::new("names");
    folder.write("nixtla.csv", long("unique_id,ds,y"));
    folder.run("fit --order 24 nixtla.csv -o expected.longcast").succeeded();
    let expected = folder.run("forecast expected.longcast --level 80").succeeded();
    for (header, flags) in [
        ("item_id,timestamp,target", ""),
        ("meter,hour,kwh", "--id-col meter --time-col hour --target-col kwh"),
    ] {
        folder.write("other.csv", long(header));
        folder.run(&format!("fit --order 24 other.csv -o other.longcast {flags}")).succeeded();
        let got = folder.run("forecast other.longcast --level 80").succeeded();
        assert_eq!(got.text(), expected.text(), "{header}");
    }
}

#[test]
fn a_wide_file_gives_one_block_a_channel_equal_to_the_series_fitted_alone() {
    let folder = Folder::new("wide");
    folder.write("wide.csv", wide());
    folder.run("fit --order 24 --horizon 12 wide.csv -o wide.longcast").succeeded();
    let run = folder.run("forecast wide.longcast --level 80").succeeded();
    let table = Table::csv(run.text());
    assert_eq!(table.header, ["unique_id", "ds", "ar", "ar-lo-80", "ar-hi-80"]);
    assert_eq!(table.text("unique_id"), [["north"; 12], ["south"; 12], ["west"; 12]].concat());
    let again = folder.run("forecast wide.longcast wide.csv --level 80").succeeded();
    assert_eq!(again.text(), run.text());

    folder.run("fit --order 24 --horizon 12 wide.csv --target-col south -o south.longcast").succeeded();
    let alone = folder.run("forecast south.longcast").succeeded();
    assert_eq!(bits(&Table::csv(alone.text()).numbers("ar")), bits(&table.numbers("ar")[12..24]));

    // Channels are matched by name, whatever their order in the file.
    let turned: String = wide()
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{},{}\n", cells[3], cells[0], cells[2], cells[1])
        })
        .collect();
    folder.write("turned.csv", turned);
    let from_turned = folder.run("forecast wide.longcast turned.csv --level 80").succeeded();
    assert_eq!(from_turned.text(), run.text());
}

#[test]
fn months_and_integer_indexes_continue_their_own_grid() {
    let folder = Folder::new("calendar");
    let values = wave(240, 9);
    let month = |i: usize| format!("{}-{:02}-01", 2000 + i / 12, i % 12 + 1);
    let rows = |stamp: &dyn Fn(usize) -> String| -> String {
        values.iter().enumerate().map(|(i, y)| format!("{},{y}\n", stamp(i))).collect()
    };
    folder.write("month.csv", format!("ds,y\n{}", rows(&month)));
    folder.write("index.csv", format!("ds,y\n{}", rows(&|i| (1000 + 5 * i).to_string())));
    for (name, first, step) in [
        ("month", ["2020-01-01 00:00:00", "2020-02-01 00:00:00", "2020-03-01 00:00:00"], "1mo"),
        ("index", ["2200", "2205", "2210"], "5"),
    ] {
        let fitted = folder.run(&format!("fit --order 24 {name}.csv -o {name}.longcast")).succeeded();
        assert!(fitted.stderr.contains(&format!("240 steps of {step} (inferred)")), "{}", fitted.stderr);
        let run = folder.run(&format!("forecast {name}.longcast --horizon 3")).succeeded();
        assert_eq!(Table::csv(run.text()).text("ds"), first);
        let read = folder.run(&format!("forecast {name}.longcast {name}.csv --horizon 3")).succeeded();
        assert_eq!(read.text(), run.text());
    }
}

#[test]
fn a_panel_is_the_same_from_every_input_format() {
    let folder = Folder::new("inputs");
    folder.write("y.csv", hourly(&wave(500, 10)));
    folder.run("fit --order 24 y.csv -o y.longcast").succeeded();
    // A long forecast of two models serves as data.
    let mut models = BTreeSet::new();
    for extension in ["csv", "tsv", "parquet", "arrow"] {
        folder.run(&format!("forecast y.longcast --horizon 300 -o data.{extension}")).succeeded();
        folder.run(&format!("fit --model window-mean data.{extension} -o again.longcast")).succeeded();
        models.insert(folder.read("again.longcast"));
    }
    assert_eq!(models.len(), 1, "the format of the data changes the model");
}

#[test]
fn the_stored_history_serves_as_well_as_the_file_where_values_are_missing() {
    let folder = Folder::new("gaps");
    let mut values = wave(1000, 11);
    values.iter_mut().skip(7).step_by(100).for_each(|value| *value = f64::NAN);
    folder.write("gaps.csv", hourly(&values).replace("NaN", ""));
    for model in
        ["ar --order 48", "window-mean --lookback 48", "window-mean --lookback 200", "drift --lookback 200"]
    {
        folder.run(&format!("fit --model {model} --horizon 24 gaps.csv -o gaps.longcast")).succeeded();
        let stored = folder.run("forecast gaps.longcast").succeeded();
        let read = folder.run("forecast gaps.longcast gaps.csv").succeeded();
        assert_eq!(stored.text(), read.text(), "{model}");
    }
}

#[test]
fn ids_come_out_as_they_went_in() {
    let folder = Folder::new("ids");
    // Leading zeros, trailing zeros, more digits than a number holds, text, and spaces.
    for ids in
        [["007", "7"], ["1.10", "1.1"], ["99999999999999999991", "99999999999999999992"], ["a b", "Łódź"]]
    {
        let rows = ids.map(|id| -> String {
            hourly(&wave(100, 1)).lines().skip(1).map(|line| format!("{id},{line}\n")).collect()
        });
        folder.write("ids.csv", format!("unique_id,ds,y\n{}", rows.concat()));
        folder.run("fit --model naive ids.csv -o ids.longcast").succeeded();
        let run = folder.run("forecast ids.longcast --horizon 1").succeeded();
        assert_eq!(Table::csv(run.text()).text("unique_id"), ids);
    }
}

#[test]
fn joint_intervals_have_the_same_columns_and_reach_further() {
    let folder = Folder::new("joint");
    folder.write("load.csv", hourly(&wave(600, 3)));
    folder.run("fit --order 24 --horizon 12 load.csv -o load.longcast").succeeded();
    let of = |flag: &str| {
        let run = folder.run(&format!("forecast load.longcast --level 80 --quantiles 0.9{flag}")).succeeded();
        Table::csv(run.text())
    };
    let (each, joint) = (of(""), of(" --joint"));
    assert_eq!(joint.header, each.header);
    assert_eq!(joint.text("ar"), each.text("ar"));
    assert_eq!(joint.text("ar-q-0.9"), each.text("ar-q-0.9"));
    let reach = |table: &Table| {
        let (lower, upper) = (table.numbers("ar-lo-80"), table.numbers("ar-hi-80"));
        lower.iter().zip(&upper).map(|(lower, upper)| upper - lower).sum::<f64>()
    };
    assert!(reach(&joint) > 1.3 * reach(&each), "{} {}", reach(&joint), reach(&each));
}
