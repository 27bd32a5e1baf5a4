//! One journal through all its kills: which calls are made, when the process dies, and what must hold afterwards.

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use lingqu_core::receipt::Receipt;
use lingqu_core::{CallId, ErrorCode};
use rand::Rng;
use rand::rngs::StdRng;
use tempfile::TempDir;

use super::child::{Ended, Life, Moment};
use super::history::History;
use super::mirror::Mirror;
use super::protocol::{Said, Told};
use super::setting;
use super::stored::Stored;
use super::tally::Tally;

const SIGKILL: i32 = 9;
/// Calls of one life at most.
const CALLS_MAX: usize = 40;

/// What is tried.
pub(crate) struct Subject {
    /// First argument of the child.
    pub(crate) mode: &'static str,
    /// Its second argument.
    pub(crate) dir: PathBuf,
    pub(crate) journal_dir: PathBuf,
    pub(crate) segment_len: u64,
    pub(crate) frame_len_max: usize,
    /// No answer leaves without the mirror.
    pub(crate) mirrored: bool,
    /// Calls that the grant allows in all.
    pub(crate) quota: usize,
    /// About how long the child takes to open, in µs.
    pub(crate) opening_us: u64,
    pub(crate) call_id: fn(u64) -> CallId,
    pub(crate) answer: fn(u64) -> u64,
}

/// A subject and all that is known of it.
pub(crate) struct Trial {
    pub(crate) subject: Subject,
    pub(crate) history: History,
    pub(crate) mirror: Mirror,
    sent: Vec<u64>,
    answered: HashSet<u64>,
    /// An unfinished frame that was there before the last life.
    was_torn: bool,
    /// An older copy of the journal's files.
    backup: Option<TempDir>,
}

/// What came of one life.
struct Run {
    calls: Vec<u64>,
    withheld: bool,
    said: Vec<Said>,
}

impl Trial {
    pub(crate) fn new(subject: Subject, history: History, mirror: Mirror) -> Trial {
        Trial {
            subject,
            history,
            mirror,
            sent: Vec::new(),
            answered: HashSet::new(),
            was_torn: false,
            backup: None,
        }
    }

    /// Whether the whole quota is recorded.
    pub(crate) fn exhausted(&self) -> bool {
        self.history.recorded.len() >= self.subject.quota
    }

    /// One life, one kill.
    pub(crate) fn kill_once(&mut self, random: &mut StdRng, tally: &mut Tally) {
        let calls = self.choose_calls(random);
        let withheld = self.subject.mirrored && random.random_ratio(1, 8);
        let opening_us = self.subject.opening_us;
        // Without cosignatures there is no answer to wait for.
        let lines = if withheld { 1 } else { 1 + calls.len() };
        let moment = Moment::random(random, lines, opening_us);
        // Few at once make many small commits, many at once make few large ones.
        let at_once = [1, 2, 4, CALLS_MAX][random.random_range(0..4)];
        let (run, ended) = self.live(calls, withheld, at_once, moment);
        let was_killed = ended.kill_sent && ended.status.signal() == Some(SIGKILL);
        assert!(was_killed, "the child died by itself: {}", ended.status);
        tally.kills += 1;
        self.judge(&run, random, tally);
    }

    /// Now and then the files are copied, or replaced by their copy: then the journal lacks what only the mirror has.
    /// Only when the mirror has all that was ever shown, or a second history would begin; that is not a crash's doing.
    pub(crate) fn restore_or_backup(&mut self, random: &mut StdRng, tally: &mut Tally) {
        let dir = &self.subject.journal_dir;
        let all_mirrored = self.mirror.entries.len() as u64 == self.history.size();
        match &self.backup {
            None if random.random_ratio(1, 8) && dir.is_dir() => {
                let copy = tempfile::tempdir().unwrap();
                setting::copy(dir, copy.path());
                self.backup = Some(copy);
            }
            Some(copy) if all_mirrored && random.random_ratio(1, 8) => {
                std::fs::remove_dir_all(dir).unwrap();
                setting::copy(copy.path(), dir);
                self.backup = None;
                let older = self.read();
                self.was_torn = older.torn;
                self.history.restore(&older);
                tally.restored += usize::from(self.history.is_restored());
            }
            None | Some(_) => {}
        }
    }

    /// The last life: it takes what is left of the quota, not one more, and ends in order.
    pub(crate) fn finish(&mut self, random: &mut StdRng, tally: &mut Tally) {
        let left = self.subject.quota - self.history.recorded.len();
        let calls: Vec<u64> = (0..left as u64 + 3).map(|n| self.next_call() + n).collect();
        let (run, ended) = self.live(calls, false, 16, Moment::Never);
        assert!(ended.status.success(), "the child failed: {}", ended.status);
        self.judge(&run, random, tally);
        let answers = run
            .said
            .iter()
            .filter(|said| matches!(said, Said::Answered { .. }));
        assert_eq!(
            answers.count(),
            left,
            "what is left of the quota is answered"
        );
        assert_eq!(self.history.recorded.len(), self.subject.quota);
        tally.lives += 1;
    }

    fn next_call(&self) -> u64 {
        self.sent.iter().max().map_or(1, |last| last + 1)
    }

    /// Mostly new calls, some that were made before, whatever came of them.
    fn choose_calls(&self, random: &mut StdRng) -> Vec<u64> {
        let mut next = self.next_call();
        let mut calls = Vec::new();
        let again = u32::from(random.random_ratio(1, 3));
        for _ in 0..random.random_range(1..=CALLS_MAX) {
            if !self.sent.is_empty() && random.random_ratio(again, 4) {
                let again = self.sent[random.random_range(0..self.sent.len())];
                if !calls.contains(&again) {
                    calls.push(again);
                }
            } else {
                calls.push(next);
                next += 1;
            }
        }
        calls
    }

    fn live(
        &mut self,
        calls: Vec<u64>,
        withheld: bool,
        at_once: usize,
        moment: Moment,
    ) -> (Run, Ended) {
        let mut life = Life::begin(self.subject.mode, &self.subject.dir, moment);
        let mirror = self.mirror.note.clone();
        let mut told = vec![Told::Begin { mirror, at_once }];
        told.extend(calls.iter().map(|call| Told::Call(*call)));
        life.tell(&told);
        let mut said = Vec::new();
        let mut outcomes = 0;
        while let Some(next) = life.hear() {
            match &next {
                Said::Batch {
                    first,
                    entries,
                    checkpoint,
                } if !withheld => {
                    let note = self.mirror.take(*first, entries, checkpoint);
                    life.tell(&[Told::Cosigned(note)]);
                }
                Said::Behind(from) => life.tell(&[self.mirror.missing(*from)]),
                Said::Answered { .. } | Said::Refused { .. } => outcomes += 1,
                _ => {}
            }
            said.push(next);
            if outcomes == calls.len() && matches!(moment, Moment::Never) {
                life.let_go();
            }
        }
        let run = Run {
            calls,
            withheld,
            said,
        };
        (run, life.ended())
    }

    fn judge(&mut self, run: &Run, random: &mut StdRng, tally: &mut Tally) {
        let before = self.history.holds_now();
        let was_restored = self.history.is_restored();
        let known: HashSet<CallId> = self.history.recorded.keys().copied().collect();
        self.history.told = run.said.iter().map(shown).fold(self.history.told, u64::max);
        let mut stored = self.read();
        tally.torn += usize::from(stored.torn && !self.was_torn);
        tally.unfinished += usize::from(stored.unfinished);
        let refused = run
            .said
            .iter()
            .any(|said| matches!(said, Said::Refused { .. }));
        // Nobody saw anything of the last frame: the kill may as well have been a power cut before its write was done.
        let unseen = stored.before_last() >= Some(self.history.told.max(before.0));
        if unseen && !was_restored && !refused && !stored.torn && random.random_bool(0.5) {
            stored.cut_power(&self.subject.journal_dir, random);
            stored = self.read();
            tally.power_cuts += usize::from(stored.torn);
        }
        self.was_torn = stored.torn;
        self.history.take_in(&stored);
        self.history.check_mirror(&self.mirror.entries);
        tally.adopted += usize::from(was_restored && !self.history.is_restored());
        let recorded = self.history.recorded.len();
        assert!(recorded <= self.subject.quota, "overspent: {recorded}");
        for said in &run.said {
            self.check(run, said, before, &known);
        }
        self.count(run, &known, tally);
        self.sent.extend(&run.calls);
    }

    /// Whether what was said is true of what the files hold. `before` is the size and the use of the grant when it began.
    fn check(&mut self, run: &Run, said: &Said, before: (u64, u64), known: &HashSet<CallId>) {
        match said {
            Said::Opened {
                checkpoint,
                size,
                used,
            } => {
                assert_eq!((*size, *used), before, "what it opened with");
                if let Some(note) = checkpoint {
                    self.history.check_checkpoint(note);
                }
            }
            Said::Batch { checkpoint, .. } => self.history.check_checkpoint(checkpoint),
            Said::Answered {
                call,
                answer,
                receipt,
            } => {
                let id = (self.subject.call_id)(*call);
                assert!(!known.contains(&id), "call {call} was evaluated again");
                assert!(
                    self.answered.insert(*call),
                    "call {call} was answered twice"
                );
                assert_eq!(*answer, (self.subject.answer)(*call));
                self.history.check_answer(id, receipt);
            }
            Said::Refused { call, code } => self.check_refusal(run, *call, code, known),
            Said::Behind(from) => assert_eq!(*from, before.0, "what it lacks"),
            Said::Ready => {}
            Said::Serving { .. } => panic!("a journal serves nothing"),
        }
    }

    /// A refusal has a reason that the test can name.
    fn check_refusal(&self, run: &Run, call: u64, code: &str, known: &HashSet<CallId>) {
        let expected = match code {
            "CALL_ID_SPENT" => known.contains(&(self.subject.call_id)(call)),
            "QUOTA_EXHAUSTED" => known.len() + run.calls.len() > self.subject.quota,
            "AUDIT_UNAVAILABLE" => run.withheld || known.contains(&(self.subject.call_id)(call)),
            _ => false,
        };
        assert!(expected, "call {call} was refused: {code}");
    }

    fn count(&self, run: &Run, known: &HashSet<CallId>, tally: &mut Tally) {
        let outcomes: HashSet<u64> = run.said.iter().filter_map(outcome).collect();
        let answers = run
            .said
            .iter()
            .filter(|said| matches!(said, Said::Answered { .. }));
        tally.answers += answers.count();
        let spent = ErrorCode::CallIdSpent.as_str();
        let is_spent = |said: &&Said| matches!(said, Said::Refused { code, .. } if code == spent);
        tally.spent_ids_refused += run.said.iter().filter(is_spent).count();
        for call in run.calls.iter().filter(|call| !outcomes.contains(call)) {
            let id = (self.subject.call_id)(*call);
            if known.contains(&id) {
                continue;
            }
            match self.history.recorded.contains_key(&id) {
                true => tally.lost_answers += 1,
                false => tally.lost_calls += 1,
            }
        }
        let said = |what: fn(&Said) -> bool| run.said.iter().any(what);
        let phase = if !said(|said| matches!(said, Said::Opened { .. })) {
            &mut tally.opening
        } else if !said(|said| matches!(said, Said::Ready)) {
            &mut tally.reconciling
        } else if outcomes.len() < run.calls.len() {
            &mut tally.calling
        } else {
            &mut tally.idle
        };
        *phase += 1;
    }

    fn read(&self) -> Stored {
        let subject = &self.subject;
        Stored::read(
            &subject.journal_dir,
            self.history.origin(),
            subject.segment_len,
            subject.frame_len_max,
        )
    }
}

/// Up to which size of the log this lets its hearer know.
fn shown(said: &Said) -> u64 {
    match said {
        Said::Answered { receipt, .. } => {
            Receipt::from_tlog_proof(receipt).unwrap().checkpoint.size
        }
        Said::Batch { first, entries, .. } => first + entries.len() as u64,
        Said::Opened { size, .. } => *size,
        Said::Behind(_) | Said::Ready | Said::Refused { .. } | Said::Serving { .. } => 0,
    }
}

fn outcome(said: &Said) -> Option<u64> {
    match said {
        Said::Answered { call, .. } | Said::Refused { call, .. } => Some(*call),
        _ => None,
    }
}
