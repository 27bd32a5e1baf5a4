//! The node's own head in the head log: following it, keeping what was accepted, and the evidence of what contradicts.
//!
//! A mirror could cosign everything and leave this node's stream out of what supervisors are shown. With the head log's
//! key pinned, the node sees its own head or begins no call that waits for the mirror. What it accepted last lies in
//! `head-log` in the state directory, durable before it counts: a head log that goes back behind it is caught after any
//! number of restarts. Two checkpoints that contradict each other are kept in clear in `evidence`, for anybody to check.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use lingqu_core::head::HeadShown;
use lingqu_journal::{HeadRefused, HeadTerms, Journal};
use lingqu_tlog::{AddCheckpoint, Checkpoint, Fork, Intl, Note, Policy, Suite};

use crate::Node;
use crate::config::NodeConfig;
use crate::node::OpenError;
use crate::state::{State, create_dir, write_file};

/// What was accepted of the head log last: a signed checkpoint.
const ACCEPTED_FILE: &str = "head-log";
/// Directory of evidence, below the state directory.
pub(crate) const EVIDENCE: &str = "evidence";
/// Files of evidence that are kept; beyond it a contradiction is only logged.
const EVIDENCE_MAX: usize = 64;
/// How often the node looks whether it is still covered.
const LOOK: Duration = Duration::from_secs(1);

/// Why a shown head does not count.
#[derive(Debug, thiserror::Error)]
pub enum TakeHeadFailed {
    /// It is not what it should be.
    #[error(transparent)]
    Refused(#[from] HeadRefused),
    /// What was accepted could not be made durable, so it does not count.
    #[error("state directory: {0}")]
    State(#[from] io::Error),
}

/// Begins to follow the head log whose key is pinned, if one is.
///
/// # Errors
/// [`OpenError`] when the settings cannot be, or what an earlier run accepted is not by the pinned key.
pub(crate) fn follow(
    journal: &Journal,
    config: &NodeConfig,
    state: &State,
) -> Result<(), OpenError> {
    let lag_s = config.limits.head_lag_s;
    let Some(key) = config.trust.head_key.clone() else {
        if lag_s.is_some() {
            return Err(OpenError::Setting("limits.head_lag_s"));
        }
        if config.trust.witnesses.is_some() {
            return Err(OpenError::Setting("trust.witnesses"));
        }
        tracing::warn!(
            "no key of the head log is pinned: what is left out of it is not noticed here"
        );
        return Ok(());
    };
    let lag_s = lag_s.unwrap_or(NodeConfig::HEAD_LAG_S);
    if !(1..=3_600).contains(&lag_s) {
        return Err(OpenError::Setting("limits.head_lag_s"));
    }
    let terms = HeadTerms {
        key,
        lag: Duration::from_secs(lag_s),
        witnesses: witnesses(config)?,
        accepted: accepted(state)?,
    };
    Ok(journal.follow_heads(terms)?)
}

/// The witnesses that the unit pinned.
fn witnesses(config: &NodeConfig) -> Result<Option<Policy<Intl>>, OpenError> {
    let Some(path) = &config.trust.witnesses else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path)?;
    let policy = Policy::parse(&text).map_err(|_| OpenError::Setting("trust.witnesses"))?;
    Ok(Some(policy))
}

/// What an earlier run accepted last.
fn accepted(state: &State) -> Result<Option<String>, OpenError> {
    match state.read(&state.dir().join(ACCEPTED_FILE)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl Node {
    /// Takes in what the coordinator shows of the head log; nothing is believed but what the pinned keys signed. Waits
    /// for the disk. After a contradiction the node answers nothing more until a person has looked, and what contradicts
    /// is kept.
    ///
    /// # Errors
    /// [`TakeHeadFailed`]; the head does not count then.
    pub fn take_head(&self, shown: &HeadShown) -> Result<(), TakeHeadFailed> {
        let checked = self.journal.check_head(shown);
        let checked = checked.inspect_err(|refused| {
            if refused.is_contradiction() {
                self.contradict();
                tracing::error!(reason = %refused, "the head log contradicts itself: no more answers");
                self.keep_evidence(shown);
            }
        })?;
        // Durable before it counts: after a crash from here on, the next run asks for nothing older.
        let path = self.state.dir().join(ACCEPTED_FILE);
        self.state.write(&path, checked.checkpoint().as_bytes())?;
        self.journal.take_head(checked);
        Ok(())
    }

    /// Whether the coordinator, as long as it is there, shows supervisors in time what it cosigns of this node. While it is
    /// away nobody can ask it for that; what is answered meanwhile is bounded by the terms.
    pub(crate) fn headed(&self) -> bool {
        let figures = self.journal.figures();
        !figures.mirror_connected || figures.heads.is_none_or(|heads| heads.fresh)
    }

    /// Keeps both checkpoints of the head log: `.fork` when two of one size prove it alone, otherwise the accepted one and
    /// what was shown against it, as a witness's request.
    fn keep_evidence(&self, shown: &HeadShown) {
        let Some(accepted) = self.journal.accepted_head() else {
            return;
        };
        let Some(key) = &self.config.trust.head_key else {
            return;
        };
        let fork = Fork {
            one: accepted.clone(),
            other: shown.checkpoint.clone(),
            branch: None,
        };
        let kept = match fork.verify(key) {
            Ok(_) => self.keep("fork", &fork.to_string()),
            Err(_) => {
                let old_size = size_of(&accepted).unwrap_or(0);
                let request = AddCheckpoint {
                    old_size,
                    proof: shown.consistency.clone(),
                    checkpoint: shown.checkpoint.clone(),
                };
                let both = format!("{accepted}\n----\n{request}");
                self.keep("contradiction", &both)
            }
        };
        if let Err(error) = kept {
            tracing::error!(%error, "evidence against the head log cannot be kept");
        }
    }

    fn keep(&self, suffix: &str, text: &str) -> io::Result<()> {
        let dir = self.state.dir().join(EVIDENCE);
        create_dir(&dir)?;
        let name = hex::encode(&Intl::digest(&[text.as_bytes()]).0[..16]);
        let path = dir.join(format!("{name}.{suffix}"));
        if path.exists() || std::fs::read_dir(&dir)?.count() >= EVIDENCE_MAX {
            return Ok(());
        }
        // In clear: it names no call and no person, and whoever is shown it must be able to read it.
        write_file(&path, text.as_bytes())?;
        tracing::error!(evidence = %path.display(), "evidence against the head log");
        Ok(())
    }
}

fn size_of(note: &str) -> Option<u64> {
    let note = Note::parse(note).ok()?;
    Some(Checkpoint::parse(&note.text).ok()?.size)
}

/// Says in the node's log when records go missing in the head log for too long, and when they are there again.
pub(crate) async fn watch(node: Arc<Node>) {
    if node.config.trust.head_key.is_none() {
        return;
    }
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Before the first head of a run nothing is missing yet.
    let mut alarmed = false;
    loop {
        ticks.tick().await;
        let Some(heads) = node.journal.figures().heads else {
            return;
        };
        let is_late = heads.oldest_uncovered > node.config.head_lag();
        if is_late && !alarmed {
            tracing::error!(
                covered = heads.covered,
                seconds = heads.oldest_uncovered.as_secs(),
                "cosigned records are missing in the head log: no call is begun that waits for the mirror"
            );
        } else if alarmed && !is_late {
            tracing::warn!(
                covered = heads.covered,
                "the head log covers what is cosigned again"
            );
        }
        alarmed = is_late;
    }
}
