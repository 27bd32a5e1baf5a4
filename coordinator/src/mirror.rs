//! The mirror: the verified, durable copy of every stream, and the head logs over them.
//!
//! Start reading at [`store`], the one place where something is added; [`streams`] says what a batch must fulfil,
//! [`headlog`] what a head is. [`replicate`] and [`feed`] are the two conversations about it, without the wire.
//! [`base`] is where a start begins to replay; [`advance`] brings it forward.

pub(crate) mod advance;
pub(crate) mod archive;
pub(crate) mod base;
pub(crate) mod batches;
pub(crate) mod evidence;
pub(crate) mod feed;
pub(crate) mod files;
pub(crate) mod frame;
pub(crate) mod headed;
pub(crate) mod headlog;
pub(crate) mod kept;
pub(crate) mod prune;
pub(crate) mod recent;
pub(crate) mod replay;
pub(crate) mod replicate;
pub(crate) mod restore;
pub(crate) mod store;
pub(crate) mod streams;
pub(crate) mod succession;
pub(crate) mod view;
pub(crate) mod witnesses;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use lingqu_core::record::{Draft, Record};
use lingqu_core::{Clock, ErrorCode, Region};
use lingqu_journal::{
    Committer, CommitterOptions, FatalHook, LogId, Start, Store, StoreError, Wal, WalOpenError,
    WalOptions,
};
use lingqu_tlog::{Intl, Suite, VerifierKey};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::task::TaskTracker;

pub use self::advance::AdvanceFailed;
use self::advance::Keeping;
use self::archive::{Archive, ArchiveError};
use self::base::{Base, BaseRefused};
use self::batches::{Batches, Indices};
use self::evidence::Evidence;
use self::files::Files;
use self::replay::ReplayError;
use self::restore::RestoreRefused;
use self::store::{HEAD_WEIGHT, Item, MirrorStage, Refused, Work};
use self::streams::{Cosigned, Stream, Verified};
use self::view::Shared;
use crate::config::Limits;
use crate::keys::{Keys, Names, stream_key};

/// Places for own acts and ticks, which are small. Nodes that keep the queue full would otherwise delay revocations.
const OWN_PLACES: usize = 64;

/// Bytes of a segment that no payload can have: its head, and the frame around the payload.
const SEGMENT_OVERHEAD: u64 = 3 * 4_096;

/// What a mirror is opened with.
pub(crate) struct MirrorOptions {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keys: Keys,
    pub(crate) names: Names,
    pub(crate) limits: Limits,
    /// The coordinator's own stream.
    pub(crate) own: Stream,
    /// The nodes' streams.
    pub(crate) streams: Vec<Stream>,
    /// Whether the head logs have witnesses, which are asked before followers are told.
    pub(crate) is_witnessed: bool,
    /// Directory of the evidence against nodes; made when there is some.
    pub(crate) evidence: PathBuf,
    /// What happens when the log can no longer be written.
    pub(crate) on_fatal: FatalHook,
}

/// Why a mirror was not opened.
#[derive(Debug, thiserror::Error)]
pub enum MirrorOpenError {
    /// Where replay begins cannot be told.
    #[error(transparent)]
    Base(#[from] BaseRefused),
    /// What the base says contradicts the registry, the keys or what is kept apart.
    #[error("the base of the mirror's log: {0}")]
    Restore(#[from] RestoreRefused),
    /// Segments that were given up could not be removed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The committer's thread could not be made.
    #[error("the system gives no thread: {0}")]
    Thread(std::io::Error),
    /// The log is damaged, is another one, or contradicts itself or the registry.
    #[error(transparent)]
    Wal(#[from] WalOpenError<ReplayError>),
}

/// See the module.
pub(crate) struct Mirror {
    pub(crate) shared: Arc<Shared>,
    pub(crate) archive: Archive,
    pub(crate) limits: Limits,
    pub(crate) own: Arc<Stream>,
    pub(crate) evidence: Evidence,
    names: Names,
    /// The public half of what signs the head logs.
    head_log_public: Vec<u8>,
    committer: Arc<Committer<Item>>,
    /// Brings the base forward.
    keeping: Arc<Mutex<Keeping>>,
    /// The coordinator's own public keys, which no stream may be signed with.
    role_keys: Vec<Vec<u8>>,
    /// Free places in the queue, and free room in it in bytes. Who has neither waits here, so that the queue itself is
    /// never full, and its memory is bounded over all streams together.
    places: Arc<Semaphore>,
    room: Arc<Semaphore>,
    own_places: Arc<Semaphore>,
    /// Everything that runs on its own and holds the mirror: its files stay locked until all of it has ended.
    pub(crate) tasks: TaskTracker,
}

impl Mirror {
    /// Opens the log in `store`: what its base in `files` says, and the replay of all that came after it.
    pub(crate) fn open(
        options: MirrorOptions,
        store: Arc<dyn Store>,
        files: Arc<Files>,
    ) -> Result<Mirror, MirrorOpenError> {
        let limits = options.limits;
        let payload_len_max = payload_len_max(&limits);
        let shared = Arc::new(Shared::default());
        shared.state_mut().is_witnessed = options.is_witnessed;
        let own = shared.register(options.own);
        for stream in options.streams {
            shared.register(stream);
        }
        let role_keys = options.keys.roles();
        let role_keys = role_keys.iter().map(|(_, key)| key.to_vec()).collect();
        let log = Intl::digest(&[b"lingqu/mirror\0", own.origin.as_bytes()]);
        let wal_options = WalOptions {
            log: LogId(log.0[..16].try_into().expect("a digest has 32 bytes")),
            segment_len: limits.segment_bytes,
            payload_len_max,
        };
        let head_log_public = options.keys.head_log.public_key().to_vec();
        let names = options.names.clone();
        let mut stage = MirrorStage::new(
            options.clock,
            options.keys,
            options.names,
            (Arc::clone(&shared), Arc::clone(&own)),
        );
        stage.heads_max = (payload_len_max / 4 / HEAD_WEIGHT).max(1);
        let based = Base::load(&files, wal_options.log, &own.log_key)?;
        let (base, base_len) = based.unwrap_or_default();
        stage.restore(&base, &files)?;
        give_up_before(store.as_ref(), &files, &base.start)?;
        let wal = Wal::open_at(store, wal_options, None, &base.start, |payload| {
            stage.replay(payload)
        })?;
        stage.finish().map_err(WalOpenError::Refused)?;
        let indices = Indices::new(Arc::clone(&files), wal_options.log);
        let archive = Archive::new(wal.reader(), Arc::clone(&shared), indices);
        let tasks = TaskTracker::new();
        let keeping = Keeping {
            archive: archive.clone(),
            files,
            log: wal_options.log,
            clock: Arc::clone(&stage.clock),
            keys: stage.keys.clone(),
            names: stage.names.clone(),
            own: Arc::clone(&own),
            tasks: tasks.clone(),
            segment: base.start.segment,
            base_len,
        };
        let committer_options = CommitterOptions {
            name: "mirror".to_owned(),
            queue_max: limits.queue_max + OWN_PLACES,
            frame_items_max: limits.queue_max,
            frame_bytes_max: payload_len_max / 2,
        };
        let committer = Committer::spawn(committer_options, wal, stage, options.on_fatal)
            .map_err(MirrorOpenError::Thread)?;
        Ok(Mirror {
            shared,
            archive,
            limits,
            own,
            evidence: Evidence::new(options.evidence),
            names,
            head_log_public,
            committer: Arc::new(committer),
            keeping: Arc::new(Mutex::new(keeping)),
            role_keys,
            places: Arc::new(Semaphore::new(limits.queue_max)),
            room: Arc::new(Semaphore::new(limits.queue_bytes_max)),
            own_places: Arc::new(Semaphore::new(OWN_PLACES)),
            tasks,
        })
    }

    /// Submits a batch; the answer comes when it is durable and cosigned, or refused. Waits for a place in the queue.
    pub(crate) async fn submit(
        &self,
        stream: Arc<Stream>,
        batch: Box<Verified>,
        writer: u64,
    ) -> Result<oneshot::Receiver<Result<Cosigned, Refused>>, ErrorCode> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Batch {
            stream,
            batch,
            writer,
            reply,
        };
        self.queue(work).await?;
        Ok(answer)
    }

    /// Appends acts to the own stream and gives the index of the first, when they are durable.
    ///
    /// # Errors
    /// [`ErrorCode::AuditUnavailable`] when the log can no longer be written: the act may be durable all the same.
    pub(crate) async fn append_own(&self, drafts: Vec<Draft>) -> Result<u64, ErrorCode> {
        let (reply, answer) = oneshot::channel();
        self.queue(Work::Own { drafts, reply }).await?;
        answer.await.map_err(|_| ErrorCode::AuditUnavailable)
    }

    /// Publishes heads for everything that is cosigned now. Everything queued before is durable or refused when this
    /// returns.
    pub(crate) async fn tick(&self) -> Result<(), ErrorCode> {
        loop {
            let (reply, answer) = oneshot::channel();
            self.queue(Work::Tick { reply }).await?;
            let more = answer.await.map_err(|_| ErrorCode::AuditUnavailable)?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Reads from the disk where it holds nobody up.
    ///
    /// # Errors
    /// [`ErrorCode::Internal`], after the reason was logged.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Archive) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ErrorCode> {
        let archive = self.archive.clone();
        match self.tasks.spawn_blocking(move || read(&archive)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(ArchiveError::Dropped)) => Err(ErrorCode::StreamPruned),
            Ok(Err(error)) => {
                tracing::error!(%error, "the mirror's log cannot be read back");
                Err(ErrorCode::Internal)
            }
            Err(error) => {
                tracing::error!(%error, "a reader's task failed");
                Err(ErrorCode::Internal)
            }
        }
    }

    /// The records of the own stream, in pages. Blocking.
    pub(crate) fn own_records(&self, mut visit: impl FnMut(Record)) -> Result<(), ArchiveError> {
        let size = self.size(&self.own.origin);
        let mut next = 0;
        while next < size {
            let page =
                self.archive
                    .entries(&self.own.origin, next, size, self.limits.chunk_bytes_max)?;
            next += page.len() as u64;
            for entry in page {
                visit(Record::decode::<Intl>(&entry).map_err(|_| ArchiveError::Lost)?);
            }
        }
        Ok(())
    }

    /// Entries of a stream that are durable and cosigned.
    pub(crate) fn size(&self, origin: &str) -> u64 {
        let state = self.shared.state();
        state.held.get(origin).map_or(0, streams::Held::size)
    }

    /// Entries of the stream of this origin, and of all that follow it, that are durable and cosigned.
    pub(crate) fn size_with_next(&self, origin: &str) -> u64 {
        let lineage = self.shared.lineage(origin);
        lineage.iter().map(|stream| self.size(&stream.origin)).sum()
    }

    /// The newest cosigned state of the stream of this origin, or of the last that follows it and has begun.
    pub(crate) fn newest_cosigned(&self, origin: &str) -> Option<Cosigned> {
        let lineage = self.shared.lineage(origin);
        let mut newest = lineage.iter().rev();
        newest.find_map(|stream| self.cosigned(&stream.origin))
    }

    /// Whether the coordinator signs with this key, a unit does, or somebody else than `owner` signs a stream with it.
    pub(crate) fn key_is_taken(&self, public_key: &[u8], owner: Option<&str>) -> bool {
        self.role_keys.iter().any(|key| key == public_key)
            || self.shared.key_is_taken(public_key, owner)
    }

    /// The newest cosigned state of a stream.
    pub(crate) fn cosigned(&self, origin: &str) -> Option<Cosigned> {
        let state = self.shared.state();
        state.held.get(origin)?.cosigned.clone()
    }

    /// The key of a region's head log.
    pub(crate) fn head_log_key(&self, region: &Region) -> VerifierKey<Intl> {
        stream_key(&self.names.head_log(region), &self.head_log_public)
            .expect("a key that a private key belongs to has full order, and the name is our own")
    }

    /// Whether the log can be written.
    pub(crate) fn is_open(&self) -> bool {
        self.committer.is_open()
    }

    /// Writes what is queued and ends the committer's thread. Blocking.
    pub(crate) fn close(&self) {
        self.committer.close();
    }

    async fn queue(&self, work: Work) -> Result<(), ErrorCode> {
        let item = if let Work::Batch { .. } = &work {
            let bytes = work.bytes().min(self.limits.queue_bytes_max);
            let bytes = u32::try_from(bytes).map_err(|_| ErrorCode::Overloaded)?;
            Item {
                work,
                _place: place(&self.places, 1).await?,
                _room: Some(place(&self.room, bytes).await?),
            }
        } else {
            Item {
                work,
                _place: place(&self.own_places, 1).await?,
                _room: None,
            }
        };
        // Every item in the queue holds a place and there are as many places as the queue takes, so what can refuse it
        // is only its end.
        self.committer
            .submit(item)
            .map_err(|_| ErrorCode::AuditUnavailable)
    }
}

/// Removes the segments that a base has given up already: a crash came between the two. Only where everything is there
/// that the base goes on with: beside segments that were restored from elsewhere, older ones may be all that is left.
fn give_up_before(store: &dyn Store, files: &Files, start: &Start) -> Result<(), MirrorOpenError> {
    let front = start.sealed.first();
    let front = front.map_or(start.segment, |sealed| sealed.segment);
    let segments = store.segments()?;
    let needed = start.sealed.iter().map(|sealed| sealed.segment);
    let mut needed = needed.chain((front > 0).then_some(start.segment));
    let is_here = |id: &u64| segments.iter().any(|segment| segment.id == *id);
    if let Some(segment) = needed.find(|id| !is_here(id)) {
        return Err(MirrorOpenError::Wal(WalOpenError::Corrupt {
            segment,
            offset: 0,
            what: "the segment is missing, and nothing before it is removed",
        }));
    }
    for segment in segments.iter().filter(|segment| segment.id < front) {
        store.remove(segment.id)?;
    }
    // The index of a segment that is gone is of no use to anybody; one that stays does no harm.
    if let Err(error) = Batches::remove_before(files, front) {
        tracing::warn!(%error, "indices of segments that were given up are left");
    }
    Ok(())
}

async fn place(places: &Arc<Semaphore>, count: u32) -> Result<OwnedSemaphorePermit, ErrorCode> {
    let place = Arc::clone(places).acquire_many_owned(count).await;
    place.map_err(|_| ErrorCode::AuditUnavailable)
}

/// Longest payload that a segment of the configured length can hold. It follows from the segment alone, so that a log
/// never has to be read with less than it was written with, unless its operator lowers `segment_bytes`.
fn payload_len_max(limits: &Limits) -> usize {
    let len = limits.segment_bytes.saturating_sub(SEGMENT_OVERHEAD);
    usize::try_from(len.min(u64::from(u32::MAX))).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(crate) mod testbed;
#[cfg(test)]
mod tests;
