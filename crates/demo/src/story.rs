//! The story: two units, an agency, a bank and its supervisors, from the first enrolment to the last revocation.
//!
//! Each chapter is a file and adds its steps; what a step expects is written beside what it does, so that the story is
//! also a test: a step that goes otherwise makes the run fail. Organisations, places and insured persons are invented.

mod answering;
mod authorising;
mod away;
mod caller;
mod catalog;
mod counting;
mod ending;
mod refusing;
mod registering;
mod setting_up;
mod trying;
mod watching;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lingqu_client::{Answered, Question};
use lingqu_core::trust::Trust;
use lingqu_core::{Clock, ErrorCode};
use lingqu_journal::SystemClock;
use lingqu_proto::Verdict;
use lingqu_tlog::Intl;

use crate::cast::{Party, Unit};
use crate::network::{During, Network, NetworkFailed};
use crate::objects::Which;
use crate::register::{Person, social_security};
use crate::report::Report;
use caller::Caller;

/// How the story is told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the network's files go; a temporary directory if not given. Must be empty or absent.
    pub dir: Option<PathBuf>,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Stay up after the story until interrupted.
    pub serve: bool,
    /// How long the story waits for a node before it gives up; [`PATIENCE`](crate::network::PATIENCE) if not given.
    pub patience: Option<Duration>,
    /// Keep the social-security register in a PostgreSQL server of the demo's own instead of in files.
    pub postgres: bool,
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
    if let Some(patience) = options.patience {
        network.set_patience(patience);
    }
    if options.postgres {
        network.keep_register_in_postgres().await?;
    }
    tell(&mut network, &mut report).await?;
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
    for unit in Unit::ALL {
        network.stop_node_of(unit).await?;
    }
    network.stop_coordinator().await?;
    Ok(ok)
}

/// The chapters in their order.
async fn tell(network: &mut Network, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    setting_up::tell(network, report).await?;
    let digests = registering::tell(network, report).await?;
    authorising::tell(network, &digests, report).await?;
    catalog::tell(network, report).await?;
    report
        .progress("… the nodes read their data and open what is approved · 节点装载数据、开放产品")
        .during("reporting")?;
    let mut tale = Tale::begin(network).await?;
    trying::tell(&mut tale, report).await?;
    answering::tell(&mut tale, report).await?;
    refusing::tell(&mut tale, report).await?;
    counting::tell(network, &mut tale, report).await?;
    watching::tell(network, &tale, report).await?;
    away::tell(network, &mut tale, report).await?;
    ending::tell(network, &mut tale, report).await
}

/// What later chapters need of earlier ones.
struct Tale {
    /// Whom receipts are checked against; kept, since the coordinator is away for a while.
    trust: Trust<Intl>,
    /// The bank at each node, ready to call.
    bank: BTreeMap<Unit, Caller>,
    /// The catalog licensee at the transport bureau's node, ready to try.
    broker: Caller,
    /// The people of the story: Driver L. and two others.
    people: Vec<Person>,
    /// Calls answered by each node so far: what the regulators must find.
    answered: BTreeMap<Unit, u64>,
    /// A receipt and its opening, for the offline check.
    kept: Option<Answered<Verdict>>,
}

impl Tale {
    async fn begin(network: &mut Network) -> Result<Tale, NetworkFailed> {
        setting_up::start_nodes(network).await?;
        let trust = network.trust()?;
        let mut bank = BTreeMap::new();
        for unit in Unit::ALL {
            let caller = Caller::connect(network, unit, Party::Bank, &trust).await?;
            bank.insert(unit, caller);
        }
        let broker = Caller::connect(network, Unit::Transport, Party::Broker, &trust).await?;
        Ok(Tale {
            trust,
            bank,
            broker,
            people: social_security::persons()
                .take(social_security::PEOPLE.len())
                .collect(),
            answered: BTreeMap::new(),
            kept: None,
        })
    }

    /// The bank at the node that answers a product.
    fn bank(&self, which: Which) -> &Caller {
        &self.bank[&which.unit()]
    }

    /// The bank asks: the answer, or the refusal in a word.
    async fn ask(&mut self, which: Which, call: &Question) -> Result<caller::Told, String> {
        let asked = self.bank(which).ask(which, call).await;
        if asked.is_ok() {
            self.count(which.unit(), 1);
        }
        asked.map_err(|failed| caller::refusal(&failed))
    }

    /// As [`Self::ask`], all in a word.
    async fn told(&mut self, which: Which, call: &Question) -> String {
        match self.ask(which, call).await {
            Ok(told) => told.word,
            Err(refused) => refused,
        }
    }

    fn count(&mut self, unit: Unit, answered: u64) {
        *self.answered.entry(unit).or_default() += answered;
    }

    fn kept(&self) -> Result<&Answered<Verdict>, NetworkFailed> {
        self.kept
            .as_ref()
            .ok_or("no call was answered before")
            .during("telling the story")
    }
}

/// What came of an attempt, in a word.
fn outcome<T: ToString>(result: &Result<T, ErrorCode>) -> String {
    match result {
        Ok(done) => done.to_string(),
        Err(code) => code.to_string(),
    }
}

/// Ids of the story's grants.
mod grants {
    /// The bank's grant for everyday use, at both nodes and in every environment.
    pub(super) const GRANT: &str = "grant_sc-0001";
    /// The bank's grant for TEST alone.
    pub(super) const TRIAL_GRANT: &str = "grant_sc-0001-trial";
    /// The bank's grant that names PROD_DEBUG without the statements that open it.
    pub(super) const UNSTATED_GRANT: &str = "grant_sc-0001-unstated";
    /// The bank's grant with three calls a day, at both nodes.
    pub(super) const SMALL_GRANT: &str = "grant_sc-0001-small";
    /// A grant of the kind that lets nobody call.
    pub(super) const CATALOG_GRANT: &str = "grant_cat-0001";
    /// Calls a day under [`SMALL_GRANT`], and calls in PROD_DEBUG under [`GRANT`].
    pub(super) const SMALL_QUOTA: u64 = 3;
}
