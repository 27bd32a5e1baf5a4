//! Receipts of records that are shown, made from the log itself: whoever has the trust file checks them without us.
//!
//! The tree of a stream is not kept. What is kept are some of its right edges, from which the few hashes that a proof
//! needs are made again by reading the entries between an edge and the end of the record's span.

use std::collections::BTreeMap;
use std::sync::Arc;

use lingqu_core::ErrorCode;
use lingqu_core::receipt::Receipt;
use lingqu_tlog::{Frontier, Intl, RecentTree, leaf_hash};

use super::Auditor;
use crate::mirror::archive::{Archive, ArchiveError};
use crate::mirror::headlog::{Head, Leaf};

/// Most entries that are read for the receipts of one request.
const ENTRIES_MAX: u64 = 1_000_000;

/// A record that is shown: its stream's origin, its head and its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) origin: String,
    pub(crate) head: u64,
    pub(crate) index: u64,
}

/// The records of one span, and from where its proofs are made.
struct Span {
    head: u64,
    place: Head,
    edge: Frontier<Intl>,
    indices: Vec<u64>,
}

impl Auditor {
    /// A receipt for each place, in the order of the places.
    ///
    /// # Errors
    /// [`ErrorCode::RequestInvalid`] when a record is not shown any more; [`ErrorCode::Overloaded`] when too much would
    /// have to be read; [`ErrorCode::Internal`], after the reason was logged.
    pub(crate) async fn receipts(&self, places: &[Place]) -> Result<Vec<Receipt>, ErrorCode> {
        let mut spans: BTreeMap<(String, u64), Span> = BTreeMap::new();
        let mut entries = 0_u64;
        for place in places {
            let key = (place.origin.clone(), place.head);
            if let Some(span) = spans.get_mut(&key) {
                span.indices.push(place.index);
                continue;
            }
            let span = self.span(place).await.ok_or(ErrorCode::RequestInvalid)?;
            entries = entries.saturating_add(span.place.size - span.edge.size());
            spans.insert(key, span);
        }
        if entries > ENTRIES_MAX {
            return Err(ErrorCode::Overloaded);
        }
        let mut found = BTreeMap::new();
        for ((origin, head), span) in spans {
            let stream = self.mirror.shared.stream(&origin);
            let region = stream.ok_or(ErrorCode::Internal)?.region.clone();
            let chunk = self.mirror.limits.chunk_bytes_max;
            let made = self
                .mirror
                .read(move |archive| span.receipts(&region, chunk, archive));
            for receipt in made.await? {
                // What is handed out was checked: a stranger's check must not be the first.
                if receipt.check_consistency::<Intl>().is_err() {
                    tracing::error!(stream = origin, head, "a receipt does not hold");
                    return Err(ErrorCode::Internal);
                }
                found.insert((origin.clone(), receipt.index), receipt);
            }
        }
        let ordered = places
            .iter()
            .map(|place| found.remove(&(place.origin.clone(), place.index)));
        ordered.collect::<Option<_>>().ok_or(ErrorCode::Internal)
    }

    async fn span(&self, place: &Place) -> Option<Span> {
        let edge = {
            let window = self.window();
            let kept = window.streams.get(&place.origin)?;
            let at = kept
                .rows
                .binary_search_by_key(&place.index, |row| row.index);
            let row = &kept.rows[at.ok()?];
            if row.head != place.head {
                return None;
            }
            kept.edge_before(row.span_first)?.clone()
        };
        let stream: Arc<_> = self.mirror.shared.stream(&place.origin)?;
        let (region, at) = (stream.region.clone(), place.head);
        let head = self.mirror.read(move |archive| archive.head(&region, at));
        Some(Span {
            head: place.head,
            place: head.await.ok()?,
            edge,
            indices: vec![place.index],
        })
    }
}

impl Span {
    fn receipts(
        self,
        region: &lingqu_core::Region,
        chunk_bytes_max: usize,
        archive: &Archive,
    ) -> Result<Vec<Receipt>, ArchiveError> {
        let leaf = archive.leaf(region, self.head)?;
        let leaf = Leaf::decode(&leaf).ok_or(ArchiveError::Lost)?;
        let mut wanted: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut tree = RecentTree::from_frontier(self.edge);
        while tree.size() < self.place.size {
            let (from, to) = (tree.size(), self.place.size);
            for entry in archive.entries(&self.place.origin, from, to, chunk_bytes_max)? {
                let index = tree.size();
                tree.push(leaf_hash::<Intl>(&entry));
                if self.indices.contains(&index) {
                    wanted.insert(index, entry);
                }
            }
        }
        let receipt = |(index, entry)| {
            let proof = tree.inclusion_proof(index, self.place.size);
            Ok(Receipt {
                head: None,
                entry,
                index,
                proof: proof.map_err(|_| ArchiveError::Lost)?,
                checkpoint: leaf.checkpoint.clone(),
                signatures: leaf.note.signatures.clone(),
            })
        };
        wanted.into_iter().map(receipt).collect()
    }
}
