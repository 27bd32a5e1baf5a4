//! The recording path alone: the real journal over real files, calls from standard input.
//!
//! What `lingqu_node::call::serve` does around its evaluation is done here in the same order, without a register:
//! decide, seen, audit_ready, reserve, touch, record, release. It opens in milliseconds, which makes kills cheap.

use std::path::Path;
use std::sync::Arc;

use lingqu_core::{Clock, ErrorCode};
use lingqu_journal::{
    FatalHook, FileStore, Journal, JournalOptions, MirrorTerms, Outcome, Reconciled, Released,
    Seen, SystemClock, Unrecorded,
};
use lingqu_policy::AuditTerms;
use lingqu_tlog::{Checkpoint, Hash, Note};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::protocol::{Said, Told};
use crate::voice::{Voice, told};
use crate::world;

/// Opens the journal in `dir` and makes the calls that are asked for, until standard input ends.
pub(crate) async fn run(dir: &Path, terms: AuditTerms) {
    let voice = Arc::new(Voice::new());
    let mut told = told();
    let journal = open(dir);
    say_opened(&voice, &journal);
    let Some(Told::Begin { mirror, at_once }) = told.recv().await else {
        return;
    };
    let early = reconcile(&journal, mirror.as_deref(), &mut told, &voice).await;
    voice.say(&Said::Ready);
    if matches!(terms, AuditTerms::Mirrored { .. }) {
        tokio::spawn(ship(journal.clone(), Arc::clone(&voice)));
    }
    let calls = take_calls(early, &mut told, &journal, at_once, |call| {
        let (journal, voice) = (journal.clone(), Arc::clone(&voice));
        async move {
            let released = serve(&journal, call, terms).await;
            voice.say(&outcome(call, released));
        }
    });
    calls.await;
    drop(voice);
    let closing = tokio::task::spawn_blocking(move || journal.close());
    closing.await.expect("closing does not panic");
}

fn open(dir: &Path) -> Journal {
    let store = FileStore::open(dir.join("journal")).expect("the directory can be used");
    let options = JournalOptions {
        origin: world::ORIGIN.to_owned(),
        signer: Arc::new(world::log_signer()),
        mirrors: MirrorTerms::one(world::mirror_key()),
        lost: false,
        clock: Arc::new(SystemClock),
        limits: world::limits(),
        on_fatal: FatalHook::default(),
        follows: false,
    };
    Journal::open(options, Box::new(store)).expect("a journal opens after any kill")
}

fn say_opened(voice: &Voice, journal: &Journal) {
    let grant = world::GRANT.parse().expect("well-formed");
    voice.say(&Said::Opened {
        checkpoint: journal.checkpoint(),
        size: journal.size(),
        used: journal.usage(&grant, SystemClock.now()).total,
    });
}

/// Compares with the mirror, and takes back what the mirror has more of.
pub(crate) async fn reconcile(
    journal: &Journal,
    mirror: Option<&str>,
    told: &mut mpsc::UnboundedReceiver<Told>,
    voice: &Voice,
) -> Vec<Told> {
    let mut early = Vec::new();
    let reconciled = journal.reconcile(0, mirror);
    if let Reconciled::MirrorAhead { from } = reconciled.expect("journal and mirror agree") {
        voice.say(&Said::Behind(from));
        while let Some(next) = told.recv().await {
            let Told::Missing {
                entries,
                checkpoint,
            } = next
            else {
                early.push(next);
                continue;
            };
            let entries = entries
                .iter()
                .map(|entry| hex::decode(entry).expect("hexadecimal"));
            let adopted = journal.adopt(0, entries.collect(), &checkpoint);
            adopted.expect("the mirror's entries lead to its checkpoint");
            // Only a second look, at what it then holds, opens the journal.
            let reconciled = journal.reconcile(0, Some(&checkpoint));
            assert_eq!(reconciled.expect("they agree now"), Reconciled::Ready);
            break;
        }
    }
    journal.set_mirror_connected(0, true);
    early
}

/// Starts a task for each call, works on `at_once` of them at a time, and hands cosignatures in, until standard input
/// ends; then waits for the calls. `early` is what was told before.
pub(crate) async fn take_calls<F>(
    early: Vec<Told>,
    told: &mut mpsc::UnboundedReceiver<Told>,
    journal: &Journal,
    at_once: usize,
    serve: impl Fn(u64) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(at_once));
    let mut calls = JoinSet::new();
    let mut early = early.into_iter();
    loop {
        let next = match early.next() {
            Some(next) => next,
            None => match told.recv().await {
                Some(next) => next,
                None => break,
            },
        };
        match next {
            Told::Call(call) => {
                let (places, served) = (Arc::clone(&places), serve(call));
                calls.spawn(async move {
                    let _place = places.acquire().await.expect("never closed");
                    served.await;
                });
            }
            Told::Cosigned(note) => accept(journal, &note),
            Told::Begin { .. } | Told::Missing { .. } => panic!("told out of order"),
        }
    }
    calls.join_all().await;
}

fn accept(journal: &Journal, note: &str) {
    let note = Note::parse(note).expect("the test sends notes");
    let size = Checkpoint::parse(&note.text).expect("of checkpoints").size;
    let cosignature = note.signatures.last().expect("a note has a signature");
    journal
        .accept_cosignature(0, size, cosignature)
        .expect("the mirror cosigns what it was sent");
}

/// Shows the mirror everything from its resume point on, and never waits for its answers.
pub(crate) async fn ship(journal: Journal, voice: Arc<Voice>) {
    let mut from = journal.mirrored_size();
    while let Ok(batch) = journal.next_batch(from).await {
        from = batch.first + batch.entries.len() as u64;
        voice.say(&Said::Batch {
            first: batch.first,
            entries: batch.entries.iter().map(hex::encode).collect(),
            checkpoint: batch.checkpoint,
        });
    }
}

async fn serve(journal: &Journal, call: u64, terms: AuditTerms) -> Released<u64> {
    let now = SystemClock.now().max(journal.time_floor());
    let call = match world::decide(call, terms, now, journal.clock_state()) {
        Ok(permitted) => permitted,
        Err(denial) => return journal.deny(denial).await,
    };
    match journal.seen(call.header(), call.permit().grant()) {
        Seen::New => {}
        Seen::Same => return journal.deny(call.deny(ErrorCode::CallIdSpent)).await,
        Seen::Other => return journal.deny(call.deny(ErrorCode::CallIdReused)).await,
    }
    if journal.audit_ready(terms).is_err() {
        return Released::unrecorded(Unrecorded::AuditUnavailable);
    }
    let mut charge = match journal.reserve(call.permit()) {
        Ok(charge) => charge,
        Err(ErrorCode::Overloaded) => return Released::unrecorded(Unrecorded::Overloaded),
        Err(code) => return journal.deny(call.deny(code)).await,
    };
    charge.touch();
    let id = call.header().id.0;
    let number = u64::from_be_bytes(id[8..].try_into().expect("an id has 16 bytes"));
    let evaluated = call.evaluated(Ok(world::answer(number)), Hash([5; 32]), Vec::new());
    match journal.record(evaluated, charge).await {
        Ok(recorded) => journal.release(&recorded).await,
        Err(_) => Released::unrecorded(Unrecorded::AuditUnavailable),
    }
}

fn outcome(call: u64, released: Released<u64>) -> Said {
    match released.into_outcome() {
        Outcome::Answered {
            result, receipt, ..
        } => Said::Answered {
            call,
            answer: result,
            receipt: receipt.tlog_proof().to_string(),
        },
        Outcome::Denied(code) | Outcome::Failed { code, .. } | Outcome::Unrecorded(code) => {
            Said::Refused {
                call,
                code: code.as_str().to_owned(),
            }
        }
    }
}
