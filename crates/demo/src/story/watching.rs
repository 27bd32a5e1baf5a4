//! Chapter 6: the regulators follow. One sees everything of its region, the other its own city and nothing of the next.

use std::collections::BTreeMap;

use lingqu_client::{Event, Feed, FeedBroken, Seen};
use lingqu_core::record::{Field, Kind};
use lingqu_core::trust::Trust;
use lingqu_core::{ErrorCode, Region};
use lingqu_transport::code_of;

use super::Tale;
use crate::cast::{self, Party, Unit};
use crate::network::{During, Network, NetworkFailed};
use crate::report::Report;

const ANSWERED: &str = "ANSWERED";
const FEED_KEYS: &str = "the node's log key, the mirror's key, the head log's key";

pub(super) async fn tell(
    network: &mut Network,
    tale: &Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    report
        .heading("6. Supervision · 监管")
        .during("reporting")?;
    let seen = region(network, tale, report).await?;
    resume(network, seen, report).await?;
    cities(network, tale, report).await
}

async fn region(
    network: &Network,
    tale: &Tale,
    report: &mut Report<'_>,
) -> Result<Seen, NetworkFailed> {
    let (found, seen) = follow(network, Party::Bureau, cast::REGION, Seen::default()).await?;
    let calls = found.get(ANSWERED).copied().unwrap_or(0);
    let answered: u64 = tale.answered.values().sum();
    report
        .step(
            "003 Art. 4; 001 Art. 48",
            "the regional bureau follows the call logs of both nodes; its client proves each span complete before it shows it",
            format!("{answered} answered calls, every span complete"),
            format!("{calls} answered calls, every span complete"),
            FEED_KEYS,
        )
        .during("reporting")?;
    let refused = found
        .iter()
        .filter(|(outcome, _)| outcome.as_str() != ANSWERED);
    let denied: u64 = refused.map(|(_, count)| count).sum();
    let kinds = found.len().saturating_sub(1);
    report
        .step(
            "003 Art. 18; R-410",
            "… refused calls are there too, each with its code",
            "12 codes, …",
            format!("{kinds} codes, {denied} refusals recorded so far"),
            FEED_KEYS,
        )
        .during("reporting")?;
    let untold = ErrorCode::GrantPartyMismatch.as_str();
    let got = match found.contains_key(untold) {
        true => untold,
        false => "it is not there",
    };
    report
        .step(
            "003 Art. 18; R-410",
            "… also the reason that the broker was not told: the grant that it named is another party's",
            untold,
            got,
            FEED_KEYS,
        )
        .during("reporting")?;
    Ok(seen)
}

async fn resume(
    network: &Network,
    seen: Seen,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let (again, _) = follow(network, Party::Bureau, cast::REGION, seen).await?;
    report
        .step(
            "003 Art. 4; R-413",
            "… it comes back later and resumes where it was: nothing is sent twice",
            "0 answered calls",
            format!(
                "{} answered calls",
                again.get(ANSWERED).copied().unwrap_or(0)
            ),
            FEED_KEYS,
        )
        .during("reporting")
}

async fn cities(
    network: &Network,
    tale: &Tale,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let (own, _) = follow(
        network,
        Party::OtherBureau,
        cast::OTHER_CITY,
        Seen::default(),
    )
    .await?;
    let answered = tale
        .answered
        .get(&Unit::SocialSecurity)
        .copied()
        .unwrap_or(0);
    report
        .step(
            "000 Art. 4; R-088",
            "Qinghe's bureau follows its own city: the calls of Qinghe's node and none of Lanxi's",
            format!("{answered} answered calls"),
            format!("{} answered calls", own.get(ANSWERED).copied().unwrap_or(0)),
            FEED_KEYS,
        )
        .during("reporting")?;
    let refused = match follow(network, Party::OtherBureau, cast::CITY, Seen::default()).await {
        Ok(_) => "it was let in".to_owned(),
        Err(refused) => refused.to_string(),
    };
    let got = if refused.contains(ErrorCode::RegionForbidden.as_str()) {
        ErrorCode::RegionForbidden.as_str().to_owned()
    } else {
        refused
    };
    report
        .step(
            "000 Art. 4; R-088",
            "… and asks for Lanxi's",
            ErrorCode::RegionForbidden.as_str(),
            got,
            "the coordinator's registry",
        )
        .during("reporting")
}

/// Follows `region` as `party` until everything known now is verified; counts of outcomes.
async fn follow(
    network: &Network,
    party: Party,
    region: &str,
    seen: Seen,
) -> Result<(BTreeMap<String, u64>, Seen), NetworkFailed> {
    let channel = network.dial_coordinator(&network.identity(party)?).await?;
    let region: Region = region.parse().during("naming a region")?;
    let trust = network.trust()?;
    let heads = Trust::of_logs(&network.head_log_keys()?).during("trusting the head logs")?;
    let followed = Feed::follow(channel, &region, true, trust, heads, seen).await;
    let mut feed = followed.map_err(coded).during("following")?;
    let mut outcomes = BTreeMap::new();
    while let Some(event) = feed.next().await.map_err(coded).during("following")? {
        let Event::Records { records, .. } = event else {
            continue;
        };
        for record in records {
            let clear = &record.draft.clear;
            let counted = matches!(record.draft.kind, Kind::Call | Kind::Denials);
            if let (true, Some(outcome)) = (counted, clear.get_text(Field::Outcome)) {
                let count = clear.get_number(Field::Count).unwrap_or(1);
                *outcomes.entry(outcome.to_owned()).or_insert(0) += count;
            }
        }
    }
    Ok((outcomes, feed.into_seen()))
}

fn coded(broken: FeedBroken) -> String {
    match &broken {
        FeedBroken::Status(status) => {
            code_of(status).map_or_else(|| broken.to_string(), |code| code.to_string())
        }
        _ => broken.to_string(),
    }
}
