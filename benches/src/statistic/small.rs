//! What a caller waits for: departures of one airport in one month by airline, asked in turn for every airport and
//! month, by one caller.
//!
//! Ours is `tb.delays_by_carrier` of the demo network with everything that a call has in production; roapi runs the
//! same SQL over the same two Parquet files, for anybody who can reach its port.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use lingqu_client::{Node, Question};
use lingqu_core::Clock;
use lingqu_core::decide::Asked;
use lingqu_core::grant::Environment;
use lingqu_core::product::Definition;
use lingqu_demo::cast::{self, Party, Unit};
use lingqu_demo::network::Network;
use lingqu_demo::objects::{self, ORIGINS, Which};
use lingqu_proto::ClaimValue;
use serde_json::json;
use tokio::runtime::Runtime;

use super::peers::{Clients, Roapi, Tools};
use super::{Failed, SCENARIO};
use crate::filing::{self, GRANT};
use crate::measure::Round;
use crate::report::{self, Row};
use crate::verify::network::runtime;

/// Sides that are measured: ours by gRPC and by ADBC, and roapi by HTTP and by ADBC.
pub(super) const SIDES: usize = 4;
/// Calls of a round, however slow they are: with three rounds more than fifty.
const CALLS_MIN: usize = 20;
const PRODUCT: Which = Which::Delays;

/// What came of it.
pub(super) struct Small {
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<String>,
}

/// The demo's network with the one product, on threads of its own.
struct Running {
    network: Network,
    // Last, since what runs on them goes first.
    callers: Runtime,
    node: Runtime,
    _coordinator: Runtime,
}

/// Measures so many rounds of such a length.
pub(super) fn measure(
    dir: &Path,
    tools: &Tools,
    (rounds, time, clock): (usize, Duration, &Arc<dyn Clock>),
    bar: &ProgressBar,
) -> Result<Small, Failed> {
    let running = Running::start(dir)?;
    let data = running
        .network
        .files()
        .node_dir(Unit::Transport)
        .join("data");
    let roapi = Roapi::start(tools, &data, &["flights", "airlines"])?;
    let setting = dir.join("setting.json");
    std::fs::write(&setting, running.setting(&roapi).to_string())?;
    let mut clients = Clients::start(tools, &setting)?;
    agree(&mut clients)?;
    let client = running.client()?;
    let mut seen: [Vec<Round>; SIDES] = Default::default();
    // The first turn warms up.
    for turn in 0..=rounds {
        for side in (0..SIDES).map(|side| (side + turn) % SIDES) {
            let time = if turn == 0 { time / 5 } else { time };
            let round = match side {
                0 => running.round(&client, time, clock)?,
                1 => clients.round("roapi-http", time, CALLS_MIN)?,
                2 => clients.round("node", time, CALLS_MIN)?,
                _ => clients.round("roapi-flight", time, CALLS_MIN)?,
            };
            if turn > 0 {
                seen[side].push(round);
                bar.inc(1);
            }
        }
    }
    let versions = clients.stop()?;
    drop(roapi);
    drop(client);
    running.stop()?;
    let [grpc, http, adbc, roapi_adbc] = seen;
    let rows = |case, name, ours: &[Round], theirs: &[Round]| {
        report::rows(SCENARIO, case, name, ours, theirs)
    };
    let mut all = rows("grpc-c1", "roapi-http", &grpc, &http);
    all.extend(rows("flight-sql-adbc", "roapi-adbc", &adbc, &roapi_adbc));
    Ok(Small {
        rows: all,
        notes: vec![format!("small statistics: {versions}")],
    })
}

/// Both of roapi's ways answer the same, and every airline of which the node tells something is one of theirs. Equal
/// numbers are not to be expected: the node rounds, and leaves out small groups.
fn agree(clients: &mut Clients) -> Result<(), Failed> {
    for number in 0..questions().len() {
        let open = clients.answer("roapi-http", number)?;
        if open.is_empty() || open != clients.answer("roapi-flight", number)? {
            return Err(Failed::Differ("roapi by its second interface"));
        }
        let ours = clients.answer("node", number)?;
        let known = |name: &String| open.iter().any(|(theirs, _)| theirs == name);
        if ours.is_empty() || !ours.iter().all(|(name, _)| known(name)) {
            return Err(Failed::Differ("the node"));
        }
    }
    Ok(())
}

/// Every airport and month.
pub(super) fn questions() -> Vec<(&'static str, i64)> {
    let months = |origin| (1..=12).map(move |month| (origin, month));
    ORIGINS.into_iter().flat_map(months).collect()
}

/// The product's own SQL, with the values in place of the parameters.
pub(super) fn plain(origin: &str, month: i64) -> String {
    let Definition::Statistic(statistic) = objects::product(PRODUCT).definition else {
        unreachable!("the product is a statistic");
    };
    statistic
        .sql
        .replace("$origin", &format!("'{origin}'"))
        .replace("$month", &month.to_string())
}

fn question((origin, month): (&str, i64)) -> Question {
    let asked = Asked {
        grant: Some(GRANT.parse().expect("well-formed")),
        product: PRODUCT.reference().id,
        version: None,
        purpose: cast::PURPOSE.to_owned(),
        scenario: cast::SCENARIO.to_owned(),
        end_user: cast::END_USER.to_owned(),
        environment: Environment::Prod,
    };
    let arguments = vec![
        ("origin".to_owned(), ClaimValue::Text(origin.to_owned())),
        ("month".to_owned(), ClaimValue::Integer(month)),
    ];
    let mut question = Question::new(asked, arguments);
    // ADBC takes what the unit allows to lag as well.
    question.lagged_accepted = true;
    question
}

impl Running {
    fn start(dir: &Path) -> Result<Running, Failed> {
        let (coordinator, node, callers) = (
            runtime("coordinator")?,
            runtime("node")?,
            runtime("callers")?,
        );
        let mut network = coordinator.block_on(Network::make(dir))?;
        callers.block_on(filing::file(&network, PRODUCT))?;
        node.block_on(network.start_node())?;
        callers.block_on(filing::ready(&network, PRODUCT))?;
        Ok(Running {
            network,
            callers,
            node,
            _coordinator: coordinator,
        })
    }

    /// What the Python process is told.
    fn setting(&self, roapi: &Roapi) -> serde_json::Value {
        let files = self.network.files();
        let (cert, key) = files.party_tls(Party::Bank);
        let product = PRODUCT.reference().id;
        let governed =
            |(origin, month): &(&str, i64)| format!("SELECT * FROM {product}('{origin}', {month})");
        let questions = questions();
        json!({
            "node": self.network.node_url(),
            "ca": files.ca(),
            "cert": cert,
            "key": key,
            "headers": {
                "lingqu-end-user": cast::END_USER,
                "lingqu-environment": "PROD",
                "lingqu-grant": GRANT,
                "lingqu-purpose": cast::PURPOSE,
                "lingqu-scenario": cast::SCENARIO,
            },
            "roapi_http": roapi.http.to_string(),
            "roapi_flight": roapi.flight.to_string(),
            "governed": questions.iter().map(governed).collect::<Vec<_>>(),
            "plain": questions.iter().map(|(origin, month)| plain(origin, *month)).collect::<Vec<_>>(),
        })
    }

    fn client(&self) -> Result<Node, Failed> {
        let (bank, trust) = (self.network.identity(Party::Bank)?, self.network.trust()?);
        let channel = self.callers.block_on(self.network.dial_node(&bank))?;
        Ok(Node::over(channel, trust))
    }

    /// One caller, as [`Clients::round`]; each answer's receipt is checked, as our client always does.
    fn round(
        &self,
        client: &Node,
        time: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Result<Round, Failed> {
        let questions = questions();
        self.callers.block_on(async {
            let mut latencies_us = Vec::new();
            let begin = clock.monotonic();
            let mut before = begin;
            while before.saturating_sub(begin) < time || latencies_us.len() < CALLS_MIN {
                let question = question(questions[latencies_us.len() % questions.len()]);
                client.query(&question).await?;
                let now = clock.monotonic();
                latencies_us.push(now.saturating_sub(before).as_secs_f64() * 1e6);
                before = now;
            }
            Ok(Round::new(latencies_us, before.saturating_sub(begin)))
        })
    }

    fn stop(mut self) -> Result<(), Failed> {
        self.node.block_on(async {
            self.network.stop_node().await?;
            Ok(self.network.stop_coordinator().await?)
        })
    }
}
