//! What messages say beyond the numbers of an error: the fix that goes with them, and long lists cut short.

use std::io;

use crate::data::LackingSeries;

pub(super) fn io_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => "; check the path",
        io::ErrorKind::PermissionDenied => "; check its permissions",
        io::ErrorKind::StorageFull => "; free some space, nothing was written",
        _ => "",
    }
}

pub(super) fn not_a_number_fix(value: &str) -> &'static str {
    let has_commas = value.contains(',') && value.replace(',', "").parse::<f64>().is_ok();
    match has_commas {
        true => "write numbers with a decimal point and no other separator, such as 1234.5",
        false => "leave the cell empty where the value is missing",
    }
}

pub(super) fn too_short_fix(steps: usize, horizon: usize) -> String {
    if steps > horizon {
        format!("use a lookback of at most {}", steps - horizon)
    } else {
        format!("use a horizon below {steps}")
    }
}

pub(super) fn told_gap(gap: usize) -> String {
    if gap == 0 { String::new() } else { format!("gap {gap}, ") }
}

pub(super) fn too_few_rows_fix(longest: usize) -> String {
    match longest {
        0 => "use a longer series, or --model naive".to_string(),
        longest => format!("use an order of at most {longest}"),
    }
}

pub(super) fn who_lacks(lacking: &[LackingSeries], n_series: usize) -> String {
    match lacking {
        [only] => format!("series \"{}\" lacks", only.series),
        _ => format!("{n_series} series lack"),
    }
}

pub(super) fn list_lacking(lacking: &[LackingSeries], n_series: usize) -> String {
    const MOST: usize = 10;
    let mut listed = Vec::new();
    for LackingSeries { series, columns } in lacking {
        let mut own: Vec<String> = columns.iter().take(MOST).map(ToString::to_string).collect();
        if columns.len() > MOST {
            own.push(format!("and {} more columns", columns.len() - MOST));
        }
        let name = if n_series > 1 { format!("series \"{series}\": ") } else { String::new() };
        listed.push(name + &own.join("; "));
    }
    if n_series > lacking.len() {
        listed.push(format!("and {} more series", n_series - lacking.len()));
    }
    listed.join("; ")
}

pub(super) fn known_ahead_fix(n_known: usize) -> String {
    match n_known {
        0 => String::new(),
        n_known => format!(", or use a horizon of at most {n_known}"),
    }
}
