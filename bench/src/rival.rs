//! A task done by us in this process and by peers in theirs, in turn, with a check that both did the same work.

use std::cell::RefCell;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn, resident_bytes};
use crate::peer::Peer;
use crate::record::Record;

/// What doing a task once took.
#[derive(Debug, Deserialize)]
pub(crate) struct Work {
    /// Time of the task alone.
    pub(crate) seconds: f64,
    /// A sum over the values that the task read, equal for all who do the same.
    pub(crate) checksum: f64,
    /// Resident memory after less before; `None` where the system does not tell.
    pub(crate) growth_bytes: Option<f64>,
}

/// One task of a peer's script, and the record that sets ours beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rival {
    /// The name of the record.
    pub(crate) record: &'static str,
    /// The task's name in the script.
    pub(crate) task: &'static str,
    /// What the record calls the peer.
    pub(crate) peer: &'static str,
    /// The least that the ratio may be.
    pub(crate) bar: Option<f64>,
}

/// A task and everyone who does it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contest<'a> {
    /// The unit of the records.
    pub(crate) unit: &'static str,
    /// How many of that unit a second is.
    pub(crate) per_second: f64,
    /// How often everyone does it.
    pub(crate) n_runs: usize,
    /// The others; at least one, and the first one's record is ours where no peer runs.
    pub(crate) rivals: &'a [Rival],
}

#[derive(Debug, Serialize)]
struct Question<'a, S> {
    task: &'static str,
    #[serde(flatten)]
    setting: &'a S,
}

impl Contest<'_> {
    /// Measures `job`, which returns its checksum, in turn with the rivals if there is a peer to ask.
    ///
    /// # Shapes
    /// `(side, run)`, ours first.
    ///
    /// # Errors
    /// [`Error::Differs`] if a rival's checksum is not ours; errors of `job` and of the peer.
    pub(crate) fn run(
        &self,
        job: impl Fn() -> Result<f64>,
        peer: Option<&RefCell<Peer>>,
        setting: &impl Serialize,
    ) -> Result<Vec<Vec<Work>>> {
        let mut sides: Vec<Candidate<'_, Work>> = vec![Box::new(|| Work::of(&job))];
        if let Some(peer) = peer {
            for Rival { task, .. } in self.rivals {
                sides.push(Box::new(move || peer.borrow_mut().ask(&Question { task, setting })));
            }
        }
        let measured = in_turn(self.n_runs, &mut sides)?;
        drop(sides);
        self.check(&measured)?;
        Ok(measured)
    }

    /// One record for each rival that ran, or ours alone.
    pub(crate) fn records(&self, measured: &[Vec<Work>]) -> Vec<Record> {
        let time = |runs: &[Work]| Spread::of(runs.iter().map(|run| run.seconds * self.per_second));
        let ours = |rival: &Rival| Record::new(rival.record, self.unit, time(&measured[0]));
        if measured.len() == 1 {
            return self.rivals.iter().take(1).map(ours).collect();
        }
        let record = |(rival, runs): (&Rival, &Vec<Work>)| {
            let record = ours(rival).beside(rival.peer, time(runs));
            match rival.bar {
                Some(bar) => record.ratio_at_least(bar),
                None => record,
            }
        };
        self.rivals.iter().zip(&measured[1..]).map(record).collect()
    }

    fn check(&self, measured: &[Vec<Work>]) -> Result<()> {
        let checksum = |runs: &[Work]| runs.first().map_or(f64::NAN, |run| run.checksum);
        let ours = checksum(&measured[0]);
        for (rival, runs) in self.rivals.iter().zip(&measured[1..]) {
            let theirs = checksum(runs);
            if ours.to_bits() != theirs.to_bits() {
                return Err(Error::Differs {
                    record: rival.record.to_string(),
                    ours,
                    peer: rival.peer,
                    theirs,
                });
            }
        }
        Ok(())
    }
}

impl Work {
    /// Does a job once, with the clock and an eye on the memory.
    fn of(job: impl Fn() -> Result<f64>) -> Result<Self> {
        let before = resident_bytes();
        let start = Instant::now();
        let checksum = job()?;
        let seconds = start.elapsed().as_secs_f64();
        let growth_bytes = resident_bytes().zip(before).map(|(after, before)| after - before);
        Ok(Work { seconds, checksum, growth_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIVALS: [Rival; 2] = [
        Rival { record: "a", task: "a", peer: "p", bar: Some(1.0) },
        Rival { record: "a_vs_q", task: "b", peer: "q", bar: None },
    ];
    const CONTEST: Contest<'_> = Contest { unit: "ms", per_second: 1e3, n_runs: 2, rivals: &RIVALS };

    fn took(seconds: f64, checksum: f64) -> Vec<Work> {
        vec![Work { seconds, checksum, growth_bytes: None }]
    }

    #[test]
    fn each_rival_has_a_record_and_without_any_ours_stands_alone() {
        let measured = [took(0.002, 1.0), took(0.004, 1.0), took(0.001, 1.0)];
        let json = crate::record::json(&CONTEST.records(&measured)).unwrap();
        assert!(json.contains("\"ratio\": 2.0") && json.contains("\"ratio\": 0.5"), "{json}");
        assert_eq!((json.matches("\"ok\": true").count(), json.matches("\"ok\": null").count()), (1, 1));

        let alone = CONTEST.run(|| Ok(1.0), None, &()).unwrap();
        assert_eq!((alone.len(), alone[0].len()), (1, 2));
        let json = crate::record::json(&CONTEST.records(&alone)).unwrap();
        assert!(json.contains("\"name\": \"a\"") && json.contains("\"peer\": null"), "{json}");
    }

    #[test]
    fn sides_that_read_other_values_are_no_comparison() {
        let message =
            CONTEST.check(&[took(1.0, 3.0), took(1.0, 3.0), took(1.0, 4.0)]).unwrap_err().to_string();
        assert_eq!(message, "a_vs_q: ours gives 3, but q 4: the two did not do the same work");
    }
}
