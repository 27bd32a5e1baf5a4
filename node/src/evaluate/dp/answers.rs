//! Answers with noise, kept so that the same question has the same answer: in the state directory, sealed with the rest.
//!
//! Losing one costs budget and no privacy: asked again, it is charged again and has fresh noise. So a file that cannot
//! be read is no answer, and the oldest gives way when there are too many.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_schema::SchemaRef;
use lingqu_tlog::Hash;

use crate::evaluate::Table;
use crate::state::{State, create_dir};

/// Where they lie within the state directory.
pub(crate) const DIR: &str = "noisy-answers";
/// Most answers that are kept.
const ANSWERS_MAX: usize = 1_024;
/// Largest answer that is kept, in bytes; together they take 256 MiB at most.
const ANSWER_LEN_MAX: usize = 256 << 10;

/// The stored answers of one node.
pub(crate) struct Answers {
    state: State,
    dir: PathBuf,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Oldest first.
    order: VecDeque<Hash>,
    keys: HashSet<Hash>,
    /// Of questions that are being answered.
    turns: HashMap<Hash, Weak<tokio::sync::Mutex<()>>>,
}

impl Answers {
    /// Finds what earlier runs stored.
    pub(crate) fn open(state: &State) -> io::Result<Answers> {
        let dir = state.dir().join(DIR);
        create_dir(&dir)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(key) = key_of(Path::new(&name)) {
                found.push((entry.metadata()?.modified()?, key));
            }
        }
        found.sort_unstable_by_key(|(stored, key)| (*stored, key.0));
        let order: VecDeque<Hash> = found.into_iter().map(|(_, key)| key).collect();
        let known = Known {
            keys: order.iter().copied().collect(),
            order,
            turns: HashMap::new(),
        };
        Ok(Answers {
            state: state.clone(),
            dir,
            known: Mutex::new(known),
        })
    }

    /// Whose lock must be held to ask and to store one question, so that it is answered once.
    pub(super) fn turn(&self, key: Hash) -> Arc<tokio::sync::Mutex<()>> {
        let mut known = self.lock();
        known.turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = known.turns.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        known.turns.insert(key, Arc::downgrade(&turn));
        turn
    }

    /// The stored answer, if it can be read and has these columns.
    pub(super) async fn find(self: &Arc<Self>, key: Hash, schema: &SchemaRef) -> Option<Table> {
        if !self.lock().keys.contains(&key) {
            return None;
        }
        let (answers, schema) = (Arc::clone(self), Arc::clone(schema));
        let read = tokio::task::spawn_blocking(move || answers.read(key, &schema));
        read.await.ok().flatten()
    }

    fn read(&self, key: Hash, schema: &SchemaRef) -> Option<Table> {
        let stream = self.state.read(&self.path(key)).ok()?;
        let rows = read_rows(&stream).filter(|rows| rows.schema() == *schema);
        if rows.is_none() {
            tracing::warn!(
                "a stored answer with noise cannot be read; asked again, it is charged again"
            );
        }
        Some(Table {
            rows: rows?,
            stream,
        })
    }

    /// Stores an answer. A failure is told to the unit and to nobody else.
    pub(super) async fn keep(self: &Arc<Self>, key: Hash, table: &Table) {
        if table.stream.len() > ANSWER_LEN_MAX {
            return;
        }
        let (answers, stream) = (Arc::clone(self), table.stream.clone());
        let stored = tokio::task::spawn_blocking(move || answers.write(key, &stream));
        match stored.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "an answer with noise could not be stored"),
            Err(_) => tracing::error!("an answer with noise could not be stored"),
        }
    }

    fn write(&self, key: Hash, stream: &[u8]) -> io::Result<()> {
        self.state.write(&self.path(key), stream)?;
        let oldest = {
            let mut known = self.lock();
            if known.keys.insert(key) {
                known.order.push_back(key);
            }
            let oldest = (known.order.len() > ANSWERS_MAX).then(|| known.order.pop_front());
            let oldest = oldest.flatten();
            if let Some(oldest) = &oldest {
                known.keys.remove(oldest);
            }
            oldest
        };
        match oldest {
            Some(oldest) => fs::remove_file(self.path(oldest)),
            None => Ok(()),
        }
    }

    fn path(&self, key: Hash) -> PathBuf {
        self.dir.join(format!("{}.answer", hex::encode(key.0)))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(name: &Path) -> Option<Hash> {
    if name.extension()? != "answer" {
        return None;
    }
    let bytes = hex::decode(name.file_stem()?.to_str()?).ok()?;
    bytes.try_into().ok().map(Hash)
}

fn read_rows(stream: &[u8]) -> Option<RecordBatch> {
    let mut reader = StreamReader::try_new(stream, None).ok()?;
    let rows = reader.next()?.ok()?;
    reader.next().is_none().then_some(rows)
}

#[cfg(test)]
mod tests;
