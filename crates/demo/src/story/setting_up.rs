//! Chapter 1: everybody enrols, with proof of their keys; the units' data lies where their nodes read it.

use std::sync::Arc;

use lingqu_core::ErrorCode;
use tokio::sync::mpsc;

use super::outcome;
use crate::cast::{self, Party, Unit};
use crate::network::{During, Network, NetworkFailed, wait_until_of};
use crate::objects::{self, Which};
use crate::report::Report;

pub(super) async fn tell(
    network: &mut Network,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    report.heading("1. Setting up · 准入").during("reporting")?;
    // The register is drawn while the parties enrol: neither waits for the other.
    let files = network.files().clone();
    let clock = Arc::clone(network.clock());
    let database = network.register_database().cloned();
    let (told, mut hears) = mpsc::unbounded_channel();
    let drawing = tokio::task::spawn_blocking(move || {
        let began = clock.monotonic();
        let written = files.write_social_security(&mut |done, all| {
            // Nobody listens any more once the story has failed elsewhere.
            let _ = told.send((done, all));
        })?;
        if let Some(database) = database {
            database.take(&files.node_dir(Unit::SocialSecurity).join("data"))?;
        }
        Ok::<_, NetworkFailed>((written, clock.monotonic().saturating_sub(began)))
    });
    enrol_parties(network, report).await?;
    enrol_nodes(network, report).await?;
    let mut quarter = 0;
    while let Some((done, all)) = hears.recv().await {
        if done * 4 / all > quarter {
            quarter = done * 4 / all;
            let line = format!("… drawing insured persons · 生成参保数据: {done} of {all}");
            report.progress(&line).during("reporting")?;
        }
    }
    let (written, took) = drawing.await.during("drawing the register")??;
    let line = format!("… drawn in {:.1} s · 用时 {0:.1} 秒", took.as_secs_f64());
    report.progress(&line).during("reporting")?;
    report
        .step(
            "001 Art. 24–26; R-142",
            "each unit's data lies beside its node, read only: real flights (CC0), and insured persons drawn from a seed, none of whom exists",
            "100000 insured persons, 199612 records of contributions",
            format!(
                "{} insured persons, {} records of contributions",
                written.persons, written.records
            ),
            "nobody's: no node has read anything yet",
        )
        .during("reporting")?;
    tell_database(network, report).await
}

/// With a database: what its server lets the node's account do.
async fn tell_database(network: &Network, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let Some(database) = network.register_database().cloned() else {
        return Ok(());
    };
    let refusing = tokio::task::spawn_blocking(move || database.refuses_writing());
    let refused = refusing.await.during("trying to write")?;
    report
        .step(
            "001 Art. 25; R-142",
            "the social-security register lies in PostgreSQL, reached over TLS; the node's account may read it, and somebody tries to delete with it",
            "42501: insufficient privilege",
            refused.map_or_else(
                || "rows could be deleted".to_owned(),
                |code| format!("{code}: insufficient privilege"),
            ),
            "the database's own privileges",
        )
        .during("reporting")
}

async fn enrol_parties(
    network: &mut Network,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let mut enrolled = 0;
    for party in Party::ALL {
        // The agency is the coordinator's founder: somebody must issue the first code.
        if party != Party::Agency {
            let code = network.issue_party_code(party).await?;
            enrolled += u32::from(network.enrol_party(party, &code).await?.is_ok());
        }
    }
    report
        .step(
            "003 附件1; 003 Art. 4",
            "the agency issues one-time codes; two units, bank, broker, implementing centre and two data bureaus enrol with proof of their keys",
            format!("{} parties enrolled", Party::ALL.len() - 1),
            format!("{enrolled} parties enrolled"),
            "each party's own approval key",
        )
        .during("reporting")
}

async fn enrol_nodes(network: &mut Network, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    for (unit, what) in [
        (
            Unit::Transport,
            "the transport bureau of Lanxi enrols its node with its log key and is told which stream it writes",
        ),
        (
            Unit::SocialSecurity,
            "… and so does the social-security bureau of Qinghe, another city's",
        ),
    ] {
        let code = network.issue_node_code_of(unit).await?;
        let origin = network.enrol_node_of(unit, &code).await?;
        let got = match &origin {
            Ok(origin) => format!("writes the stream {origin}"),
            Err(code) => code.to_string(),
        };
        let stream = format!("writes the stream {}/s/", cast::ORIGIN_NAME);
        report
            .step(
                "003 Art. 4, 17; 004 Art. 18",
                what,
                format!("{stream}…"),
                got,
                "the node's log key",
            )
            .during("reporting")?;
        if unit == Unit::SocialSecurity {
            let again = network.enrol_node_of(unit, &code).await?;
            report
                .step(
                    "003 Art. 4",
                    "somebody tries the node's code a second time",
                    ErrorCode::CodeInvalid.as_str(),
                    outcome(&again.map(|_| "enrolled")),
                    "the coordinator's registry",
                )
                .during("reporting")?;
        }
    }
    Ok(())
}

/// Starts both nodes and waits until each has what was filed.
pub(super) async fn start_nodes(network: &mut Network) -> Result<(), NetworkFailed> {
    for unit in Unit::ALL {
        network.start_node_of(unit).await?;
    }
    for unit in Unit::ALL {
        let products = Which::of(unit).count();
        // Policies, products and their approvals, the product that was not approved, and the grants.
        let others = match unit {
            Unit::SocialSecurity => 1 + 4,
            Unit::Transport => 3,
        };
        let held = objects::resources(unit).len() + 2 * products + others;
        wait_until_of(
            network,
            unit,
            "the node has all that was filed, has read its data and opened its products",
            |node| {
                node.ready() && node.products_open() >= products && node.holdings().len() >= held
            },
        )
        .await?;
    }
    Ok(())
}
