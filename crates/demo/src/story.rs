//! The story: a unit, an agency, a bank and its supervisors, from the first enrolment to the last revocation.
//!
//! Each chapter is a file and adds its steps; what a step expects is written beside what it does, so that the story is
//! also a test: a step that goes otherwise makes the run fail.

mod caller;
mod calling;
mod ending;
mod setting_up;
mod watching;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use lingqu_core::Clock;
use lingqu_core::trust::Trust;
use lingqu_journal::SystemClock;
use lingqu_tlog::Intl;

use crate::network::{During, Network, NetworkFailed};
use crate::report::Report;

/// How the story is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the network's files go; a temporary directory if not given. Must be empty or absent.
    pub dir: Option<PathBuf>,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Stay up after the story until interrupted.
    pub serve: bool,
}

/// Why the story did not reach its end.
#[derive(Debug, thiserror::Error)]
pub enum StoryFailed {
    /// The directory has files in it.
    #[error("`{0}` is not empty")]
    DirNotEmpty(PathBuf),
    /// Something of the network could not be made or run.
    #[error(transparent)]
    Network(#[from] NetworkFailed),
    /// The report could not be written.
    #[error("writing the report: {0}")]
    Report(#[from] std::io::Error),
}

/// Makes a network, tells the story on it, and says whether every step went as it must. With `serve` it then stays up
/// until `interrupted` completes.
pub async fn run(
    options: Options,
    out: &mut (dyn Write + Send),
    interrupted: impl Future<Output = ()>,
) -> Result<bool, StoryFailed> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let began = clock.monotonic();
    // A temporary directory goes when the story ends; one that was asked for stays.
    let (dir, _temporary) = match &options.dir {
        Some(dir) => {
            let occupied = dir
                .read_dir()
                .is_ok_and(|mut entries| entries.next().is_some());
            if occupied {
                return Err(StoryFailed::DirNotEmpty(dir.clone()));
            }
            (dir.clone(), None)
        }
        None => {
            let temporary = tempfile::tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    let mut report = Report::new(out, options.json);
    let mut network = Network::make(&dir).await?;
    let mut tale = setting_up::tell(&mut network, &mut report).await?;
    calling::tell(&mut network, &mut tale, &mut report).await?;
    watching::tell(&mut network, &mut tale, &mut report).await?;
    ending::tell(&mut network, &mut tale, &mut report).await?;
    let json = network.write_json()?;
    let elapsed = clock.monotonic().saturating_sub(began);
    if options.serve {
        report.heading(&format!(
            "serving; {} describes the network; interrupt to stop",
            json.display()
        ))?;
    }
    let ok = report.finish(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))?;
    if options.serve {
        out.flush()?;
        interrupted.await;
    }
    network.stop_node().await?;
    network.stop_coordinator().await?;
    Ok(ok)
}

/// What later chapters need of earlier ones.
struct Tale {
    /// Whom receipts are checked against; kept, since the coordinator is away for a while.
    trust: Trust<Intl>,
    /// The bank, ready to call.
    bank: caller::Caller,
    /// The catalog licensee, ready to try.
    broker: caller::Caller,
    /// Answered calls under the bank's grants so far: what the regulator must find.
    answered: u64,
    /// A receipt and its opening, for the offline check.
    kept: Option<lingqu_client::Answered<lingqu_proto::Verdict>>,
}

impl Tale {
    fn kept(&self) -> Result<&lingqu_client::Answered<lingqu_proto::Verdict>, NetworkFailed> {
        self.kept
            .as_ref()
            .ok_or("no call was answered before")
            .during("telling the story")
    }
}
