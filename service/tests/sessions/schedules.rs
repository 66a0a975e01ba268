//! The property: whatever drops, duplicates, reconnects, take-overs and crashes happen, the state equals that of the
//! undisturbed run, and nothing that was promised is lost.

use std::sync::Arc;

use longcast::session::{
    Attachment, Batch, Cell, Durability, MemoryMedium, SessionError, Settings, Store, Writer,
};
use rayon::prelude::*;

use crate::random::Random;
use crate::world::{
    check_same, create, durable, happenings, options, rows, settings, store, undisturbed, wait,
};

/// Schedules of one run; `LONGCAST_SCHEDULES` asks for more.
const N_SCHEDULES: u64 = 10_000;

#[test]
fn any_schedule_ends_in_the_state_of_the_undisturbed_run() {
    let n = std::env::var("LONGCAST_SCHEDULES").ok().and_then(|n| n.parse().ok()).unwrap_or(N_SCHEDULES);
    let kinds: Vec<[usize; N_KINDS]> = (0..n).into_par_iter().map(|seed| Schedule::new(seed).run()).collect();
    let total = kinds.iter().fold([0; N_KINDS], |mut total, kinds| {
        total.iter_mut().zip(kinds).for_each(|(total, n)| *total += n);
        total
    });
    // Every kind of disturbance was there, and often.
    assert!(total.iter().all(|kind| *kind as u64 >= n / 2), "{total:?}");
}

const N_KINDS: usize = 8;

/// A client and its server, with everything that can go wrong between them.
struct Schedule {
    seed: u64,
    random: Random,
    settings: Settings,
    all: Batch,
    medium: MemoryMedium,
    store: Store,
    cell: Arc<Cell>,
    attachment: Option<Attachment>,
    /// Attachments that no longer hold.
    old: Vec<Attachment>,
    /// The next sequence number that the client sends.
    cursor: u64,
    /// What the client was told is durable.
    promised: u64,
    kinds: [usize; N_KINDS],
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let settings = settings(&mut random);
        let n = 1 + random.below(120);
        let all = happenings(&mut random, n);
        let medium = MemoryMedium::default();
        let store = store(&medium, options(&mut random));
        let (cell, position) = create(&store, &settings);
        wait(&cell, position.unwrap());
        Schedule {
            seed,
            random,
            settings,
            all,
            medium,
            store,
            cell,
            attachment: None,
            old: Vec::new(),
            cursor: 1,
            promised: 0,
            kinds: [0; N_KINDS],
        }
    }

    fn run(mut self) -> [usize; N_KINDS] {
        for _ in 0..(20 + self.all.values.len()) {
            let kind = match self.random.below(24) {
                0 => self.lose(),
                1 => self.repeat(),
                2 => self.reconnect(),
                3 => self.come_late(),
                4 => self.crash(),
                5 => self.call(),
                6 => self.keep_house(),
                _ => self.send(),
            };
            self.kinds[kind] += 1;
            self.look_at_promise();
        }
        while self.cursor <= self.n() {
            self.send();
        }
        self.look_at_promise();
        let expected = undisturbed(&self.settings, &self.all, self.all.values.len());
        let what = format!("schedule {}", self.seed);
        self.cell.look(|engine| check_same(engine, &expected, &what)).unwrap();
        // And once more after the last crash of all.
        self.crash();
        while self.cursor <= self.n() {
            self.send();
        }
        self.cell.look(|engine| check_same(engine, &expected, &what)).unwrap();
        self.kinds
    }

    fn n(&self) -> u64 {
        self.all.values.len() as u64
    }

    fn attach(&mut self) -> Attachment {
        if let Some(attachment) = self.attachment {
            return attachment;
        }
        let present = self.cell.look(|engine| engine.epoch()).unwrap();
        let epoch = self.random.pick(&[0, present.max(1), present + 3]);
        let attachment = self.cell.attach(epoch).unwrap();
        // What SessionOpened says.
        self.cursor = self.cell.look(|engine| engine.next_sequence()).unwrap();
        self.attachment = Some(attachment);
        attachment
    }

    /// Gives rows to the server, and follows where it stands.
    fn give(&mut self, writer: Writer, from: u64, n: usize) -> Result<(), SessionError> {
        let batch = rows(&self.all, from, n);
        if batch.values.is_empty() {
            return Ok(());
        }
        let view = batch.view(1, 0).unwrap();
        let mut at = 0;
        while at < view.n_rows {
            let applied = self.cell.apply(writer, view.rows(at, usize::MAX))?;
            at += applied.n_rows;
            if let Some(position) = applied.position {
                self.cell.log().unwrap().want(position);
                // Sometimes the answer takes so long that all of it is safe.
                if self.random.once_in(4) {
                    wait(&self.cell, position);
                }
            }
        }
        Ok(())
    }

    fn send(&mut self) -> usize {
        let attachment = self.attach();
        let n = 1 + self.random.below(20);
        match self.give(Writer::Stream(attachment), self.cursor, n) {
            Ok(()) => self.cursor = (self.cursor + n as u64).min(self.n() + 1),
            Err(SessionError::Gap { expected, .. }) => self.cursor = expected,
            Err(error) => panic!("schedule {}: {error}", self.seed),
        }
        0
    }

    /// A batch is lost on its way; the client does not know.
    fn lose(&mut self) -> usize {
        self.attach();
        self.cursor = (self.cursor + 1 + self.random.below(20) as u64).min(self.n() + 1);
        let attachment = self.attach();
        if self.cursor <= self.n() {
            let next = self.cell.look(|engine| engine.next_sequence()).unwrap();
            match self.give(Writer::Stream(attachment), self.cursor, 5) {
                Err(SessionError::Gap { expected, got }) => {
                    assert_eq!((expected, got), (next, self.cursor));
                    self.cursor = expected;
                }
                Ok(()) => self.cursor = self.cell.look(|engine| engine.next_sequence()).unwrap(),
                Err(error) => panic!("schedule {}: {error}", self.seed),
            }
        } else {
            self.cursor = self.cell.look(|engine| engine.next_sequence()).unwrap();
        }
        1
    }

    /// What was sent before comes again, with or without something new.
    fn repeat(&mut self) -> usize {
        let attachment = self.attach();
        let next = self.cell.look(|engine| engine.next_sequence()).unwrap();
        let from = 1 + self.random.below(usize::try_from(next).unwrap()) as u64;
        let n = 1 + self.random.below(40);
        self.give(Writer::Stream(attachment), from, n).unwrap();
        self.cursor = self.cell.look(|engine| engine.next_sequence()).unwrap();
        2
    }

    /// The connection breaks, or somebody else takes over.
    fn reconnect(&mut self) -> usize {
        if let Some(attachment) = self.attachment.take() {
            if self.random.once_in(2) {
                self.cell.detach(attachment);
            }
            self.old.push(attachment);
        }
        self.attach();
        3
    }

    /// What an old connection still had on its way comes after the new one.
    fn come_late(&mut self) -> usize {
        let Some(old) = self.old.last().copied() else { return 0 };
        self.attach();
        let next = self.cell.look(|engine| engine.next_sequence()).unwrap();
        let from = 1 + self.random.below(usize::try_from(next).unwrap()) as u64;
        if from <= self.n() {
            let error = self.give(Writer::Stream(old), from, 10).unwrap_err();
            assert!(matches!(error, SessionError::Fenced { .. }), "{error}");
        }
        4
    }

    /// The process is killed: of what was not synced, any part is left, to the byte.
    fn crash(&mut self) -> usize {
        let random = &mut self.random;
        let left = self.medium.after_crash(|n| random.below(n + 1));
        self.medium = left;
        self.store = store(&self.medium, options(&mut self.random));
        self.cell = self.store.find(&self.settings.name).unwrap();
        self.attachment = None;
        self.old.clear();
        let next = self.cell.look(|engine| engine.next_sequence()).unwrap();
        assert!(
            next > self.promised,
            "schedule {}: {} was promised, {next} is next",
            self.seed,
            self.promised
        );
        let expected = undisturbed(&self.settings, &self.all, usize::try_from(next - 1).unwrap());
        let what = format!("schedule {} after a crash", self.seed);
        self.cell.look(|engine| check_same(engine, &expected, &what)).unwrap();
        self.cursor = next;
        5
    }

    /// A call without a stream, which takes the session over.
    fn call(&mut self) -> usize {
        let epoch = self.cell.look(|engine| engine.epoch()).unwrap();
        let n = 1 + self.random.below(20);
        if self.attachment.is_some() {
            let error = self.give(Writer::Call(0), self.cursor, n);
            assert!(self.cursor > self.n() || matches!(error, Err(SessionError::Attached)));
        }
        self.cursor = self.cell.look(|engine| engine.next_sequence()).unwrap();
        self.give(Writer::Call(epoch + 1), self.cursor, n).unwrap();
        if self.cursor <= self.n() {
            self.old.extend(self.attachment.take());
        }
        self.cursor = self.cell.look(|engine| engine.next_sequence()).unwrap();
        6
    }

    fn keep_house(&mut self) -> usize {
        self.store.keep_house();
        7
    }

    /// What SYNC and ASYNC promise never goes back, and never runs ahead.
    fn look_at_promise(&mut self) {
        let durable = durable(&self.cell);
        assert!(durable >= self.promised, "schedule {}", self.seed);
        assert!(durable < self.cell.look(|engine| engine.next_sequence()).unwrap());
        self.promised = durable;
        assert!(matches!(self.settings.durability, Durability::Sync | Durability::Async));
    }
}
