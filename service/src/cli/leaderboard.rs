//! The scores and the leaderboard of a back-test, as people read them.

use forecast::eval::{Leaderboard, Scores, Standing, Verdict, WinsOver};

use super::console::{Console, columns};
use super::failure::Failure;

/// The mean of every metric over the series, a row each, and which means leave series out.
pub(crate) fn say_scores(scores: &Scores, console: &Console) -> Result<(), Failure> {
    let mut rows = vec![std::iter::once(String::new()).chain(scores.models.iter().cloned()).collect()];
    let mut left_out: Vec<(usize, Vec<&str>)> = Vec::new();
    for metric in scores.metrics() {
        let values = scores.mean(metric).into_iter().map(|value| format!("{value:.4}"));
        rows.push(std::iter::once(metric.to_string()).chain(values).collect::<Vec<_>>());
        let n = scores.n_left_out(metric).into_iter().max().unwrap_or(0);
        match left_out.iter_mut().find(|(of_others, _)| *of_others == n) {
            _ if n == 0 => {}
            Some((_, metrics)) => metrics.push(metric),
            None => left_out.push((n, vec![metric])),
        }
    }
    columns(&rows).iter().try_for_each(|line| console.say(line))?;
    let n_series = scores.rows.len() / scores.metrics().len().max(1);
    left_out.into_iter().try_for_each(|(n, metrics)| {
        let names = metrics.join(", ");
        console.say(format!("{names}: without {n} of {n_series} series, where it is not defined"))
    })
}

/// The models, the best first, each beside seasonal naive.
pub(crate) fn say(board: &Leaderboard, console: &Console) -> Result<(), Failure> {
    let n = board.n_series;
    let series = if n == 1 { "1 series".to_string() } else { format!("{n} series") };
    let mut title = format!("leaderboard by {} over {series} x {} windows", board.metric, board.n_windows);
    if board.n_left_out > 0 {
        title += &format!(", without {} series where it is not defined", board.n_left_out);
    }
    console.say("")?;
    console.say(title)?;
    let tested = board.rows.iter().any(|row| row.interval.is_some());
    let mut head = vec!["", "mean", "median", "wins", "difference"];
    if tested {
        head.extend(["95 % interval", ""]);
    }
    let mut rows = vec![head.into_iter().map(String::from).collect::<Vec<_>>()];
    rows.extend(board.rows.iter().map(row));
    columns(&rows).iter().try_for_each(|line| console.say(line))?;
    let over = match board.wins_over {
        WinsOver::Series => "series",
        WinsOver::Windows => "windows",
    };
    console.say(format!(
        "wins: {over} better than {}, ties count half; difference: from its mean",
        board.baseline
    ))?;
    if tested || board.rows.len() < 2 || n == 0 {
        return Ok(());
    }
    console.say(format!(
        "no interval: {} windows that do not overlap are too few to tell a difference from noise, at least 8 are needed",
        board.n_windows_apart
    ))
}

fn row(row: &Standing) -> Vec<String> {
    let mut cells = vec![row.model.clone(), format!("{:.4}", row.mean), format!("{:.4}", row.median)];
    if row.verdict == Verdict::Baseline {
        return cells;
    }
    cells.extend([format!("{:.0} %", 100.0 * row.win_rate), format!("{:+.4}", row.difference)]);
    if let Some((lower, upper)) = row.interval {
        let verdict = match row.verdict {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            _ => "within noise",
        };
        cells.extend([format!("{lower:+.4} to {upper:+.4}"), verdict.to_string()]);
    }
    cells
}
