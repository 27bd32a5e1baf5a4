//! Chapter 3, continued: a catalog authorisation ends in an e-credential that anybody checks (003 Art. 10).

use lingqu_core::Timestamp;
use lingqu_core::credential::{Credential, Validity};
use lingqu_core::envelope::SignedBy;
use lingqu_proto::open;
use lingqu_tlog::Signer;

use super::outcome;
use crate::authorise;
use crate::cast::Party;
use crate::network::{During, Network, NetworkFailed};
use crate::report::Report;

const YEAR_US: i64 = 365 * 86_400_000_000;

pub(super) async fn tell(
    network: &mut Network,
    report: &mut Report<'_>,
) -> Result<(), NetworkFailed> {
    let case = "case_cat-0001".parse().during("naming a case")?;
    let now = network.clock().now();
    let term = (now, Timestamp(now.0 + 3 * YEAR_US));
    let walked = network
        .authorise_catalog(case, Party::Broker, authorise::terms(), term)
        .await?;
    let walked = match walked {
        Ok(walked) => walked,
        Err(code) => return report_credential(report, outcome::<&str>(&Err(code))),
    };
    let envelope = walked
        .credential
        .map(|(_, envelope)| envelope)
        .ok_or("there is none")
        .during("reading the credential")?;
    // As anybody would: the bytes, the coordinator's public key, and today's date.
    let key = network.files().coordinator_key("signing")?;
    let signed = envelope.signed_by(key.public_key()) == SignedBy::Yes;
    let credential: Credential = open(&envelope).during("reading the credential")?;
    let fields = [
        !credential.number.is_empty(),
        !credential.holder_name.is_empty(),
        !credential.scope.is_empty(),
        credential.not_before < credential.not_after,
        !credential.issued_by.is_empty(),
        credential.issued <= network.clock().now(),
    ];
    let there = fields.iter().filter(|there| **there).count();
    let valid = credential.validity(network.clock().now()) == Validity::Valid;
    let got = match (signed, valid) {
        (true, true) => format!(
            "{there} fields, signed and valid, no. {}",
            credential.number
        ),
        (signed, valid) => format!("{there} fields, signed: {signed}, valid: {valid}"),
    };
    report_credential(report, got)
}

fn report_credential(report: &mut Report<'_>, got: String) -> Result<(), NetworkFailed> {
    report
        .step(
            "003 Art. 10(三); R-261, R-262",
            "Huiqi Brokerage may view and promote the catalog for three years: the e-credential (电子凭证) is checked offline",
            "6 fields, signed and valid, no. …",
            got,
            "the coordinator's signing key",
        )
        .during("reporting")
}
