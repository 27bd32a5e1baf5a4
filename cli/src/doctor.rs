//! What `lingqu doctor` looks at: this machine, the files that a configuration names, and the coordinator behind it.
//!
//! **In scope**: reading, measuring and saying what to do. **Out of scope**: mending anything. A check changes nothing
//! but one probe file that it removes again, and no finding ever carries a secret: paths, ids, numbers and names of
//! columns are all that is printed. Start reading at [`examine`].

mod certificates;
mod clock;
mod coordinator;
mod finding;
mod heads;
mod journal;
mod keys;
mod machine;
mod port;
pub(crate) mod read_only;
mod service;
mod sources;
mod storage;
mod sync_probe;

use lingqu_core::Clock;

pub(crate) use finding::{Findings, Level};
pub(crate) use service::Service;
pub(crate) use sources::{ReadFailed, read, resource, waiting};

use crate::failure::Failure;
use crate::session::Session;

/// Everything that can be said about `service`, or about the machine alone.
///
/// # Errors
/// Only when the operating system does not let the examination begin.
pub(crate) fn examine(
    service: Option<&Service>,
    session: &mut Session<'_>,
) -> Result<Findings, Failure> {
    let clock = std::sync::Arc::clone(&session.clock);
    let begun = clock::Reading::take(clock.as_ref());
    let mut findings = Findings::default();
    machine::examine(service, &mut findings);
    if let Some(service) = service {
        storage::examine(service, clock.as_ref(), &mut findings);
        keys::examine(service, &mut findings);
        certificates::examine(service, &clock, &mut findings);
        examine_running(service, &clock, session, &mut findings)?;
    }
    clock::examine(begun, clock.as_ref(), &mut findings);
    Ok(findings)
}

/// What lies in the state directory, and who answers where.
fn examine_running(
    service: &Service,
    clock: &std::sync::Arc<dyn Clock>,
    session: &mut Session<'_>,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let in_use = journal::examine(service, clock, findings);
    if let Some(node) = service.node() {
        sources::examine(node, clock.now(), findings);
        heads::examine(node, findings);
    }
    session.wait(async {
        port::examine(service, in_use, clock, findings).await;
        port::examine_observed(service, findings).await;
        if let Some(node) = service.node() {
            coordinator::examine(node, clock, findings).await;
        }
    })
}
