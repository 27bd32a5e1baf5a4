//! Chapter 3: the bank's scenario is authorised, from the application to the filed grant (003 Art. 11–12).

use lingqu_client::workflow::{CaseSeen, WorkflowFailed};
use lingqu_core::agreement::Terms;
use lingqu_core::application::Application;
use lingqu_core::case::{Action, Stance};
use lingqu_core::grant::{DebugTerms, Environment, Grant, GrantKind};
use lingqu_core::{CaseId, ErrorCode, PartyId, Timestamp};
use lingqu_tlog::Signer;

use super::grants::{CATALOG_GRANT, GRANT, SMALL_GRANT, SMALL_QUOTA, TRIAL_GRANT, UNSTATED_GRANT};
use super::registering::Digests;
use crate::authorise::{self, Proposal};
use crate::cast::{Party, Unit};
use crate::network::{During, Network, NetworkFailed};
use crate::objects::{self, Which};
use crate::report::Report;

const REGISTRY: &str = "the coordinator's registry and the signer's approval key";
const CASE: &str = "case_sc-0001";
const DAY_US: i64 = 86_400_000_000;

/// What the bank applies for: everything at both nodes, in every environment.
const WANTED: [Which; 7] = Which::ALL;

pub(super) async fn tell(
    network: &mut Network,
    digests: &Digests,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    report
        .heading("3. Authorising the scenario · 场景授权")
        .during("reporting")?;
    let grant = bank_grant(network, GRANT, digests, &WANTED)?;
    let case = apply(network, &grant, report).await?;
    let seen = review(network, &case, report).await?;
    let seen = agree(network, &seen, &grant, report).await?;
    sign(network, seen, &grant, report).await?;
    others(network, digests, report).await
}

/// A grant of the bank for these products.
fn bank_grant(
    network: &Network,
    id: &str,
    digests: &Digests,
    wanted: &[Which],
) -> Result<Grant, NetworkFailed> {
    let key = network.approval_key(Party::Bank)?;
    let products: Digests = digests
        .iter()
        .filter(|(which, _)| wanted.contains(which))
        .copied()
        .collect();
    let now = network.clock().now();
    let mut grant = objects::grant(id, Party::Bank, key.public_key(), &products, now);
    grant.environments = vec![Environment::Test, Environment::ProdDebug, Environment::Prod];
    grant.debug = Some(DebugTerms {
        not_before: grant.not_before,
        not_after: Timestamp(now.0 + 14 * DAY_US),
        calls_total: SMALL_QUOTA,
        national_security_unharmed: true,
        trade_secrets_unharmed: true,
        privacy_unharmed: true,
    });
    Ok(grant)
}

async fn apply(
    network: &Network,
    grant: &Grant,
    report: &mut Report<'_>,
) -> Result<CaseId, NetworkFailed> {
    let case: CaseId = CASE.parse().during("naming a case")?;
    let agency = Party::Agency.id();
    let application = Application {
        kind: GrantKind::Scenario,
        demand: Some(authorise::demand(grant)),
        summary: "货车司机普惠贷款 inclusive lending to freight drivers".to_owned(),
        ..network.application(case.clone(), &Party::Bank.id(), &agency)
    };
    let envelope = network.signed(&application, &[Party::Bank])?;
    let applied = network.desk(Party::Bank).await?.apply(&envelope).await;
    report
        .step(
            "003 Art. 11; R-271",
            "Mingjiang Bank applies for \"lending to freight drivers\": products, purpose, quantities, security officer, policies, design",
            "SUBMITTED",
            state(&applied),
            REGISTRY,
        )
        .during("reporting")?;
    // A party that is no operating agency accepts nothing, its own application least of all.
    let own = act(network, &case, Party::Bank, Action::Accept).await?;
    report
        .step(
            "003 Art. 12(一); R-270",
            "the bank tries to accept its own application",
            ErrorCode::CaseActorForbidden.as_str(),
            state(&own),
            REGISTRY,
        )
        .during("reporting")?;
    act(network, &case, Party::Agency, Action::Accept)
        .await?
        .during("accepting")?;
    let passed = act(network, &case, Party::Agency, Action::Pass).await?;
    report
        .step(
            "003 Art. 12(一); R-273",
            "the agency accepts it (受理) and passes the initial review (初审通过)",
            "COMPLIANCE_REVIEW",
            state(&passed),
            REGISTRY,
        )
        .during("reporting")?;
    Ok(case)
}

async fn review(
    network: &Network,
    case: &CaseId,
    report: &mut Report<'_>,
) -> Result<CaseSeen, NetworkFailed> {
    let agency = network.desk(Party::Agency).await?;
    let mut seen = agency.show(case).await.during("looking at the case")?;
    let organiser = seen
        .organiser
        .clone()
        .map_or_else(|| "nobody".to_owned(), |p| p.to_string());
    let reviewers: Vec<PartyId> = seen.reviewers.iter().map(|one| one.party.clone()).collect();
    report
        .step(
            "003 Art. 12(二); R-274, R-276",
            "the units are of two cities: the bureau above both organises the compliance review; who must give an opinion follows from the data",
            format!("{} organises, 3 opinions needed", Party::Bureau.id()),
            format!("{organiser} organises, {} opinions needed", reviewers.len()),
            REGISTRY,
        )
        .during("reporting")?;
    let mut last = String::new();
    for reviewer in reviewers {
        let party = authorise::member(&reviewer)?;
        let now = network.clock().now();
        let opinion = seen.opinion(Stance::Agree, &reviewer, "同意 agreed", now);
        let envelope = network.signed(&opinion, &[party])?;
        let opined = network.desk(party).await?.opine(&envelope).await;
        last = state(&opined);
        seen = opined.during("giving an opinion")?;
    }
    report
        .step(
            "003 Art. 12(二); R-274",
            "implementing centre and both units sign that they agree; one that did not would end it here",
            "AGREEMENT",
            last,
            "each reviewer's approval key",
        )
        .during("reporting")?;
    Ok(seen)
}

async fn agree(
    network: &Network,
    seen: &CaseSeen,
    grant: &Grant,
    report: &mut Report<'_>,
) -> Result<CaseSeen, NetworkFailed> {
    let three_years = (grant.not_before, grant.not_after);
    let without = Terms {
        revenue_method: String::new(),
        ..authorise::terms()
    };
    let proposal = Proposal {
        terms: without,
        term: three_years,
        grant: Some(grant),
    };
    let refused = network.propose_agreement(seen, proposal).await?;
    let got = match &refused {
        Err(WorkflowFailed::Refused { code, message }) if message.contains("收益计算方法") => {
            format!("{code}: 收益计算方法")
        }
        other => state(other),
    };
    report
        .step(
            "003 Art. 12(三); R-278",
            "the agency proposes an agreement that does not say how revenue is calculated",
            format!("{}: 收益计算方法", ErrorCode::AgreementTermMissing),
            got,
            REGISTRY,
        )
        .during("reporting")?;

    let six_years = (
        grant.not_before,
        Timestamp(grant.not_before.0 + 6 * 365 * DAY_US),
    );
    let long = Grant {
        not_after: six_years.1,
        ..grant.clone()
    };
    let proposal = Proposal {
        terms: authorise::terms(),
        term: six_years,
        grant: Some(&long),
    };
    let refused = network.propose_agreement(seen, proposal).await?;
    report
        .step(
            "003 Art. 12(三); R-263, R-280",
            "… and one of six years",
            ErrorCode::TermTooLong.as_str(),
            state(&refused),
            REGISTRY,
        )
        .during("reporting")?;

    let proposal = Proposal {
        terms: authorise::terms(),
        term: three_years,
        grant: Some(grant),
    };
    let proposed = network.propose_agreement(seen, proposal).await?;
    report
        .step(
            "003 Art. 12(三); 002 §7",
            "… then eight terms, three years, 5,000 calls a day at each node, purpose LENDING_CREDIT",
            "SIGNING",
            state(&proposed),
            "the agency's approval key",
        )
        .during("reporting")?;
    proposed.during("proposing")
}

async fn sign(
    network: &mut Network,
    mut seen: CaseSeen,
    grant: &Grant,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let case = seen.listed.id.clone();
    let mut signed = 0;
    for signer in [Party::Bank, Party::Unit, Party::SocialSecurity] {
        if signer == Party::SocialSecurity {
            let early = act(network, &case, Party::Agency, Action::File).await?;
            report
                .step(
                    "003 Art. 12(三); R-277",
                    "bank and transport bureau have signed; the agency tries to file without the social-security bureau",
                    ErrorCode::GrantUnsignedByUnit.as_str(),
                    state(&early),
                    "that unit's approval key, whose signature is missing",
                )
                .during("reporting")?;
        }
        let (agreement, granted) = seen.signed(&signer.id(), &network.approval_key(signer)?);
        let desk = network.desk(signer).await?;
        seen = desk
            .sign(&case, agreement.as_ref(), granted.as_ref())
            .await
            .during("signing")?;
        signed += 1;
    }
    let filed = act(network, &case, Party::Agency, Action::File).await?;
    let got = match &filed {
        Ok(filed) => format!(
            "{signed} signed, {} under {}",
            state_of(filed),
            filed.grant_number
        ),
        Err(_) => state(&filed),
    };
    report
        .step(
            "003 Art. 12(三); R-277, R-333",
            "the third signs; the agency files (备案), and only now there is a grant",
            "3 signed, FILED under …",
            got,
            "agency's, licensee's and both units' approval keys",
        )
        .during("reporting")?;
    network.list_grant(grant);
    Ok(())
}

/// Further grants, each for one thing that the story shows; signed by the same parties and filed in one step each.
async fn others(
    network: &mut Network,
    digests: &Digests,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let social = [Which::ContribMonths, Which::IncomeStability];
    let trial = Grant {
        environments: vec![Environment::Test],
        debug: None,
        ..bank_grant(network, TRIAL_GRANT, digests, &social)?
    };
    let unstated = Grant {
        environments: vec![Environment::ProdDebug],
        debug: None,
        ..bank_grant(network, UNSTATED_GRANT, digests, &social)?
    };
    let mut small = bank_grant(
        network,
        SMALL_GRANT,
        digests,
        &[Which::Plane, Which::ContribMonths],
    )?;
    small.environments = vec![Environment::Prod];
    small.debug = None;
    for quota in &mut small.quotas {
        quota.calls_per_day = SMALL_QUOTA;
    }
    let broker_key = network.approval_key(Party::Broker)?;
    let transport: Digests = digests
        .iter()
        .filter(|(which, _)| which.unit() == Unit::Transport)
        .copied()
        .collect();
    let now = network.clock().now();
    let catalog = Grant {
        kind: GrantKind::Catalog,
        ..objects::grant(
            CATALOG_GRANT,
            Party::Broker,
            broker_key.public_key(),
            &transport,
            now,
        )
    };
    let (both, one) = (
        &[Party::Unit, Party::SocialSecurity][..],
        &[Party::SocialSecurity][..],
    );
    let mut filed = 0;
    for (grant, licensee, units) in [
        (&trial, Party::Bank, one),
        (&unstated, Party::Bank, one),
        (&small, Party::Bank, both),
        (&catalog, Party::Broker, &[Party::Unit][..]),
    ] {
        let signers: Vec<Party> = [Party::Agency, licensee]
            .into_iter()
            .chain(units.iter().copied())
            .collect();
        let envelope = network.signed(grant, &signers)?;
        if network.file(Party::Agency, &envelope).await?.is_ok() {
            filed += 1;
            if [TRIAL_GRANT, CATALOG_GRANT].contains(&grant.id.as_str()) {
                network.list_grant(grant);
            }
        }
    }
    report
        .step(
            "003 Art. 12(三)(四); 002 §7",
            "four more grants: for TEST alone, for debugging without its statements, for 3 calls a day, and one that lets nobody call",
            "4 grants filed",
            format!("{filed} grants filed"),
            "agency's, licensees' and units' approval keys",
        )
        .during("reporting")
}

/// Does something in the case as `by`, who sees it as it is now.
async fn act(
    network: &Network,
    case: &CaseId,
    by: Party,
    action: Action,
) -> Result<Result<CaseSeen, WorkflowFailed>, NetworkFailed> {
    let desk = network.desk(by).await?;
    let seen = desk.show(case).await.during("looking at the case")?;
    let act = seen.act(action, &by.id(), "", network.clock().now());
    let envelope = network.signed(&act, &[by])?;
    Ok(desk.act(&envelope).await)
}

/// Where the case stands, or the code of the refusal.
pub(super) fn state(seen: &Result<CaseSeen, WorkflowFailed>) -> String {
    match seen {
        Ok(seen) => state_of(seen),
        Err(failed) => failed
            .code()
            .map_or_else(|| failed.to_string(), |code| code.to_string()),
    }
}

fn state_of(seen: &CaseSeen) -> String {
    seen.listed.state.to_string()
}
