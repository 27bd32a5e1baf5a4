//! A node's journal on its own: the real recording path over real files, without a mirror on the way of an answer.
//!
//! Between two rounds a mirror key of this process cosigns the newest checkpoint, since terms that allow an answer
//! before the mirror bound how far behind the mirror may be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lingqu_core::Clock;
use lingqu_core::receipt::Level;
use lingqu_core::trust::Trust;
use lingqu_journal::{
    FatalHook, FileStore, Journal, JournalLimits, JournalOptions, MirrorTerms, Reconciled,
};
use lingqu_policy::AuditTerms;
use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Note, Signer, VerifierKey, sign_cosignature};

use super::load::Recording;
use super::{Failed, Recovered};

const ORIGIN: &str = "bench.example/s/node-a/45/2026h2";
/// Terms under which an answer leaves at R1; the highest lag that a policy can allow.
const LAGGED: AuditTerms = AuditTerms::Lagged {
    entries_max: 1_000_000,
    age_s_max: 3_600,
};

/// The journal and its keys.
pub(super) struct Alone {
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    recording: Recording,
}

impl Alone {
    pub(super) fn open(dir: &Path, clock: Arc<dyn Clock>) -> Result<Alone, Failed> {
        let journal = open(dir, &clock)?;
        match journal.reconcile(0, None) {
            Ok(Reconciled::Ready) => {}
            other => return Err(Failed::Call(format!("not reconciled: {other:?}"))),
        }
        let log = VerifierKey::<Intl>::note(name(ORIGIN), log_signer().public_key())
            .expect("the seed's key is of full order");
        let trust = format!("log {log}\nwitness mirror {}\nquorum none\n", mirror_key());
        let trust = Trust::parse(&trust).expect("the trust file is well-formed");
        Ok(Alone {
            dir: dir.to_owned(),
            recording: Recording::new(journal, (LAGGED, Level::Local), trust, Arc::clone(&clock)),
            clock,
        })
    }

    pub(super) fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Bytes of one entry, so that the baseline can write as many. Its call number is one that no round reaches.
    pub(super) async fn entry_len(&self) -> Result<usize, Failed> {
        let receipt = self.recording.record(u64::MAX).await?;
        Ok(receipt.entry.len())
    }

    /// The mirror has everything.
    pub(super) fn cosign(&self) -> Result<(), Failed> {
        let journal = self.recording.journal();
        let Some(note) = journal.checkpoint() else {
            return Ok(());
        };
        let note = Note::parse(&note).expect("the journal signs notes");
        let unix_s = u64::try_from(self.clock.now().unix_s()).unwrap_or(0);
        let cosignature =
            sign_cosignature::<Intl>(&note.text, mirror_key().name(), unix_s, &mirror_signer())
                .expect("a checkpoint can be cosigned");
        journal
            .accept_cosignature(0, journal.size(), &cosignature)
            .map_err(|refused| Failed::Call(refused.to_string()))
    }

    /// Ends the journal and reads it back whole, as a start after a crash does.
    pub(super) fn recovered(self) -> Result<Recovered, Failed> {
        let Alone {
            dir,
            clock,
            recording,
        } = self;
        let journal = recording.journal().clone();
        drop(recording);
        journal.close();
        let begin = clock.monotonic();
        let journal = open(&dir, &clock)?;
        let took = clock.monotonic().saturating_sub(begin);
        Ok(Recovered {
            entries: journal.size(),
            took,
        })
    }
}

fn open(dir: &Path, clock: &Arc<dyn Clock>) -> Result<Journal, Failed> {
    Ok(Journal::open(
        JournalOptions {
            origin: ORIGIN.to_owned(),
            signer: Arc::new(log_signer()),
            mirrors: MirrorTerms::one(mirror_key()),
            lost: false,
            clock: Arc::clone(clock),
            limits: JournalLimits::default(),
            on_fatal: FatalHook::default(),
            follows: false,
        },
        Box::new(FileStore::open(dir)?),
    )?)
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).expect("the name is well-formed")
}

fn log_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([1; 32])
}

fn mirror_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed([2; 32])
}

fn mirror_key() -> VerifierKey<Intl> {
    VerifierKey::cosignature(name("bench.example/mirror"), mirror_signer().public_key())
        .expect("the seed's key is of full order")
}
