//! A mirror over a temporary directory, and hand-made streams that a node could write.

pub(crate) use lingqu_testkit::ManualClock;
use std::path::Path;
use std::sync::Arc;

use lingqu_core::record::{Clear, Draft, Field, Kind, StreamId};
use lingqu_core::{ErrorCode, Region, Timestamp};
use lingqu_journal::{FatalHook, FileStore};
use lingqu_tlog::{
    Checkpoint, Ed25519Signer, Frontier, Intl, KeyName, Note, Signer, VerifierKey, leaf_hash,
    sign_note,
};
use tokio::sync::mpsc;

use super::files::Files;
use super::headlog::Head;
use super::replicate::{Answer, Said, converse};
use super::streams::Stream;
use super::{Mirror, MirrorOpenError, MirrorOptions};
use crate::config::Limits;
use crate::keys::{Keys, Names};

/// 2026-11-20, in µs.
pub(crate) const START: i64 = 1_795_132_800_000_000;

pub(crate) fn limits() -> Limits {
    Limits {
        batch_bytes_max: 16 << 10,
        chunk_bytes_max: 700,
        queue_max: 8,
        segment_bytes: 128 << 10,
        window: 3,
        ..Limits::default()
    }
}

pub(crate) fn keys() -> Keys {
    let key = |seed| -> Arc<dyn Signer> { Arc::new(Ed25519Signer::from_seed([seed; 32])) };
    Keys {
        log: key(101),
        mirror: key(102),
        head_log: key(103),
        signing: key(104),
    }
}

pub(crate) fn region(code: &str) -> Region {
    code.parse().unwrap()
}

/// A node that keeps its whole stream in memory.
pub(crate) struct Writer {
    pub(crate) name: String,
    pub(crate) region: Region,
    pub(crate) signer: Ed25519Signer,
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new(name: &str, code: &str, seed: u8) -> Writer {
        Writer {
            name: name.to_owned(),
            region: region(code),
            signer: Ed25519Signer::from_seed([seed; 32]),
            entries: Vec::new(),
        }
    }

    pub(crate) fn owner(&self) -> String {
        format!("node_{}", self.name)
    }

    pub(crate) fn origin(&self) -> String {
        format!("coord.example/s/{}/{}/2026h2", self.name, self.region)
    }

    pub(crate) fn stream(&self) -> Stream {
        let key = self.signer.public_key();
        Stream::new(&self.origin(), &self.owner(), &self.region, key).unwrap()
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// A record in the next place, at `us` after the start.
    pub(crate) fn record(&self, us: i64) -> Vec<u8> {
        let mut draft = Draft::new(Kind::NodeStart);
        draft.clear = Clear::default().text(Field::Software, &format!("{}-{us}", self.name));
        let id = StreamId::of::<Intl>(&self.origin());
        draft
            .at(id, self.size(), Timestamp(START + us))
            .encode::<Intl>()
    }

    /// Writes records, one for each time.
    pub(crate) fn write(&mut self, count: usize) {
        for _ in 0..count {
            let record = self.record(1 + i64::try_from(self.entries.len()).unwrap());
            self.entries.push(record);
        }
    }

    pub(crate) fn checkpoint_of(&self, origin: &str, entries: &[Vec<u8>]) -> Checkpoint {
        let mut tree = Frontier::<Intl>::new();
        entries
            .iter()
            .for_each(|entry| tree.push(leaf_hash::<Intl>(entry)));
        Checkpoint {
            origin: origin.to_owned(),
            size: tree.size(),
            root: tree.root(),
        }
    }

    pub(crate) fn sign(&self, checkpoint: &Checkpoint) -> String {
        let text = checkpoint.to_text();
        let name = KeyName::parse(&self.origin()).unwrap();
        let signatures = vec![sign_note::<Intl>(&text, &name, &self.signer).unwrap()];
        Note { text, signatures }.to_string()
    }

    pub(crate) fn checkpoint(&self, size: u64) -> String {
        let entries = &self.entries[..usize::try_from(size).unwrap()];
        self.sign(&self.checkpoint_of(&self.origin(), entries))
    }

    pub(crate) fn open(&self) -> Said {
        Said::Open {
            origin: self.origin(),
            checkpoint: if self.entries.is_empty() {
                String::new()
            } else {
                self.checkpoint(self.size())
            },
            heads: None,
        }
    }

    pub(crate) fn batch(&self, first: u64, end: u64) -> Said {
        let range = usize::try_from(first).unwrap()..usize::try_from(end).unwrap();
        Said::Batch {
            first,
            entries: self.entries[range].to_vec(),
            checkpoint: self.checkpoint(end),
        }
    }
}

/// A mirror and what is needed to open it again.
pub(crate) struct Bed {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) limits: Limits,
    streams: Vec<Stream>,
}

impl Bed {
    pub(crate) fn new(writers: &[&Writer]) -> Bed {
        Bed {
            dir: tempfile::tempdir().unwrap(),
            clock: ManualClock::at(Timestamp(START)),
            limits: limits(),
            streams: writers.iter().map(|writer| writer.stream()).collect(),
        }
    }

    pub(crate) fn wal(&self) -> std::path::PathBuf {
        self.dir.path().join("mirror")
    }

    /// The files beside the log in `wal`.
    pub(crate) fn files_at(&self, wal: &Path) -> Files {
        let mut name = wal.file_name().unwrap().to_owned();
        name.push("-base");
        Files::open(&wal.with_file_name(name)).unwrap()
    }

    pub(crate) fn open(&self) -> Arc<Mirror> {
        self.try_open(self.streams.clone()).unwrap()
    }

    pub(crate) fn try_open(&self, streams: Vec<Stream>) -> Result<Arc<Mirror>, MirrorOpenError> {
        self.try_open_at(&self.wal(), streams)
    }

    pub(crate) fn try_open_at(
        &self,
        wal: &Path,
        streams: Vec<Stream>,
    ) -> Result<Arc<Mirror>, MirrorOpenError> {
        let keys = keys();
        let names = Names::new("coord.example");
        let own = names.own_stream("coord_gx", &region("45"), "2026h2");
        let options = MirrorOptions {
            clock: self.clock.clone(),
            names,
            limits: self.limits,
            own: Stream::new(&own, "coord_gx", &region("45"), keys.log.public_key()).unwrap(),
            keys,
            streams,
            // A test that makes the log fail asserts on what is refused then.
            is_witnessed: false,
            evidence: self.dir.path().join("evidence"),
            on_fatal: FatalHook::new(|_| ()),
        };
        let files = Arc::new(self.files_at(wal));
        let store = Arc::new(FileStore::open(wal).unwrap());
        Ok(Arc::new(Mirror::open(options, store, files)?))
    }
}

/// Says all of it and collects the answers.
pub(crate) async fn say(mirror: &Arc<Mirror>, owner: &str, said: Vec<Said>) -> Vec<Answer> {
    let (sender, mut receiver) = mpsc::channel::<Result<Answer, ErrorCode>>(16);
    let said = futures::stream::iter(said.into_iter().map(Ok));
    let collect = async {
        let mut answers = Vec::new();
        while let Some(answer) = receiver.recv().await {
            answers.push(answer.unwrap());
        }
        answers
    };
    let (_, answers) = tokio::join!(converse(Arc::clone(mirror), owner, said, sender), collect);
    answers
}

/// Replicates everything that the mirror lacks, in batches of `size`.
pub(crate) async fn replicate(mirror: &Arc<Mirror>, writer: &Writer, size: u64) {
    let mut said = vec![writer.open()];
    let mut first = mirror.size(&writer.origin());
    while first < writer.size() {
        let end = writer.size().min(first + size);
        said.push(writer.batch(first, end));
        first = end;
    }
    let answers = say(mirror, &writer.owner(), said).await;
    let last = answers.last().unwrap();
    assert!(
        matches!(last, Answer::Cosigned { .. } | Answer::Resume { .. }),
        "{last:?}"
    );
    assert_eq!(mirror.size(&writer.origin()), writer.size());
}

/// All heads of a region's head log.
pub(crate) fn heads(mirror: &Mirror, region: &Region) -> Vec<Head> {
    let size = mirror.shared.state().logs[region].size();
    let head = |index| mirror.archive.head(region, index).unwrap();
    (0..size).map(head).collect()
}

pub(crate) fn mirror_key() -> VerifierKey<Intl> {
    VerifierKey::cosignature(
        Names::new("coord.example").mirror(),
        keys().mirror.public_key(),
    )
    .unwrap()
}

pub(crate) fn head_log_key(code: &str) -> VerifierKey<Intl> {
    let name = KeyName::parse(&Names::new("coord.example").head_log(&region(code))).unwrap();
    VerifierKey::note(name, keys().head_log.public_key()).unwrap()
}
