//! Chapter 2: what the units allow on their data, what the agency registers, and each unit's yes to exactly that.

use lingqu_core::ErrorCode;
use lingqu_core::product::{Definition, FieldRule};
use lingqu_tlog::Hash;

use super::outcome;
use crate::cast::{Party, Unit};
use crate::network::{During, Network, NetworkFailed};
use crate::objects::{self, Which};
use crate::report::Report;

/// Digests of the products' signed bytes, which grants name.
pub(super) type Digests = Vec<(Which, Hash)>;

pub(super) async fn tell(
    network: &mut Network,
    report: &mut Report<'_>,
) -> Result<Digests, NetworkFailed> {
    report
        .heading("2. Registering · 登记")
        .during("reporting")?;
    let mut digests = Vec::new();
    for unit in [Unit::Transport, Unit::SocialSecurity] {
        register(network, report, unit, &mut digests).await?;
    }
    forbidden(network, report).await?;
    Ok(digests)
}

async fn register(
    network: &mut Network,
    report: &mut Report<'_>,
    unit: Unit,
    digests: &mut Digests,
) -> Result<(), NetworkFailed> {
    let (mut filed, mut wanted) = (0_usize, 0_usize);
    let mut policies = Vec::new();
    for resource in objects::resources(unit) {
        let policy = objects::resource_policy(unit, resource);
        let policy = network.signed(&policy, &[unit.party()])?;
        filed += usize::from(network.file(unit.party(), &policy).await?.is_ok());
        wanted += 1;
        policies.push((resource, policy));
    }
    let mut names = Vec::new();
    for which in Which::of(unit) {
        let policy = policies
            .iter()
            .find(|(resource, _)| *resource == which.resource())
            .map(|(_, policy)| policy)
            .ok_or("a product has no policy")
            .during("registering")?;
        let product = network.signed(&objects::product(which), &[Party::Agency])?;
        let approval = objects::approval(which, &product, policy);
        let approval = network.signed(&approval, &[unit.party()])?;
        for (party, object) in [(Party::Agency, &product), (unit.party(), &approval)] {
            filed += usize::from(network.file(party, object).await?.is_ok());
            wanted += 1;
        }
        names.push(format!("{} ({})", which.reference().id, which.kind()));
        digests.push((which, product.digest()));
    }
    let what = format!(
        "the {} signs what may be done with each column, the agency registers {}, the unit approves exactly those bytes",
        match unit {
            Unit::SocialSecurity => "social-security bureau",
            Unit::Transport => "transport bureau",
        },
        names.join(", "),
    );
    report
        .step(
            "003 Art. 7(五)–(七); 001 Art. 45",
            what,
            format!("{wanted} objects filed"),
            format!("{filed} objects filed"),
            "the unit's and the agency's approval keys",
        )
        .during("reporting")
}

/// A product that reads what the unit has opened for nothing.
async fn forbidden(network: &mut Network, report: &mut Report<'_>) -> Result<(), NetworkFailed> {
    let which = Which::ContribMonths;
    let mut product = objects::product(which);
    product.reference.version = 2;
    if let Definition::Verification(verification) = &mut product.definition {
        verification.compared.push(FieldRule {
            name: "employer".to_owned(),
            column: "employer".to_owned(),
            comparator: "exact".to_owned(),
            thresholds: Vec::new(),
        });
    }
    let policy = network.signed(&objects::policy(which), &[which.unit().party()])?;
    let product = network.signed(&product, &[Party::Agency])?;
    let mut approval = objects::approval(which, &product, &policy);
    approval.product.version = 2;
    let approval = network.signed(&approval, &[which.unit().party()])?;
    let mut refused = network
        .file(Party::Agency, &product)
        .await?
        .map(|_| "filed");
    if refused.is_ok() {
        let filed = network.file(which.unit().party(), &approval).await?;
        refused = filed.map(|_| "filed");
    }
    report
        .step(
            "001 Art. 24–26; R-160",
            "a second version also compares the employer, a column without a label: the approval does not pass",
            ErrorCode::ObjectInvalid.as_str(),
            outcome(&refused),
            "the unit's signed policy",
        )
        .during("reporting")
}
