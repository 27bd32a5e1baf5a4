//! `node.toml` of each unit, with its own keys and resources and nothing of the other's.

use std::fmt::Write as _;
use std::net::SocketAddr;

use lingqu_tlog::{Ed25519Signer, Intl, KeyName, Signer, VerifierKey};

use super::{During, Files, NetworkFailed, database};
use crate::cast::{self, Party, Unit};
use crate::register::{social_security, transport};

/// One `[[resource]]`.
struct Resource {
    name: &'static str,
    /// As the list stands in the file.
    environments: &'static str,
    path: &'static str,
    as_of: &'static str,
}

/// The two environments of production; which of them a call is in decides its account, not its data.
const PRODUCTION: &str = r#""PROD", "PROD_DEBUG""#;
/// The environment of samples.
const TEST: &str = r#""TEST""#;

const fn resource(
    name: &'static str,
    environments: &'static str,
    path: &'static str,
    as_of: &'static str,
) -> Resource {
    Resource {
        name,
        environments,
        path,
        as_of,
    }
}

/// The resources of the transport bureau.
const TRANSPORT: [Resource; 3] = [
    resource(
        "planes",
        PRODUCTION,
        "data/planes.parquet",
        transport::AS_OF,
    ),
    resource(
        "flights",
        PRODUCTION,
        "data/flights.parquet",
        transport::AS_OF,
    ),
    resource(
        "airlines",
        PRODUCTION,
        "data/airlines.parquet",
        transport::AS_OF,
    ),
];

/// The resources of the social-security bureau. TEST has sample persons of its own and nothing of production.
const SOCIAL_SECURITY: [Resource; 4] = [
    resource(
        "insured_person",
        PRODUCTION,
        "data/insured_person.parquet",
        social_security::AS_OF,
    ),
    resource(
        "industry",
        PRODUCTION,
        "data/industry.parquet",
        social_security::AS_OF,
    ),
    resource(
        "insured_person",
        TEST,
        "data/insured_person.sample.parquet",
        social_security::AS_OF,
    ),
    resource(
        "industry",
        TEST,
        "data/industry.parquet",
        social_security::AS_OF,
    ),
];

/// The text of a unit's `node.toml`. With the port of a database, production is read from there.
pub(super) fn text(
    files: &Files,
    unit: Unit,
    coordinator: SocketAddr,
    listen: SocketAddr,
    database: Option<u16>,
) -> Result<String, NetworkFailed> {
    let mut text = node(files, unit, coordinator, listen)?;
    if let Some(port) = database {
        push_source(&mut text, port);
    }
    let resources = match unit {
        Unit::SocialSecurity => &SOCIAL_SECURITY[..],
        Unit::Transport => &TRANSPORT[..],
    };
    for resource in resources {
        push(&mut text, resource, database.is_some());
    }
    Ok(text)
}

/// The unit's database, as the node reaches it.
fn push_source(text: &mut String, port: u16) {
    let _ = write!(
        text,
        r#"
[[source]]
name = "register"
kind = "postgres"
[source.settings]
host = "127.0.0.1"
port = {port}
database = "postgres"
user = "{user}"
password = {{ file = "{password}" }}
ca = "../ca/ca.pem"
"#,
        user = database::READER,
        password = database::PASSWORD_FILE,
    );
}

fn push(text: &mut String, resource: &Resource, database: bool) {
    let Resource {
        name,
        environments,
        path,
        as_of,
    } = resource;
    let place = if database && *environments == PRODUCTION {
        format!("source = \"register\"\ntable = \"public.{name}\"")
    } else {
        format!("path = \"{path}\"")
    };
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        r#"
[[resource]]
name = "{name}"
environments = [{environments}]
{place}
as_of = "{as_of}"
"#
    );
}

fn node(
    files: &Files,
    unit: Unit,
    coordinator: SocketAddr,
    listen: SocketAddr,
) -> Result<String, NetworkFailed> {
    let key = |signer: Ed25519Signer| hex::encode(signer.public_key());
    let mirror_name: KeyName = format!("{}/mirror", cast::ORIGIN_NAME)
        .parse()
        .during("naming the mirror")?;
    let mirror = files.coordinator_key("mirror")?;
    let mirror: VerifierKey<Intl> =
        VerifierKey::cosignature(mirror_name, mirror.public_key()).during("naming the mirror")?;
    let head_name: KeyName = format!("{}/h/{}", cast::ORIGIN_NAME, unit.city())
        .parse()
        .during("naming the head log")?;
    let head = files.coordinator_key("head_log")?;
    let head: VerifierKey<Intl> =
        VerifierKey::note(head_name, head.public_key()).during("naming the head log")?;
    Ok(format!(
        r#"# A node of the demo. Paths are relative to this file.
id = "{id}"
unit = "{unit}"
region = "{region}"
data_dir = "state"
listen = "{listen}"

[tls]
cert_chain = "{id}.pem"
key = "{id}.key"
[[tls.authorities]]
name = "demo"
path = "../ca/ca.pem"
prefixes = ["party_gx.", "coord_gx"]

[keys]
log = "log.key"

# Whom the node believes. A signature by any other key counts for nothing.
[trust]
unit_key = "{unit_key}"
coordinator_key = "{coordinator_key}"
mirror_key = "{mirror}"
head_key = "{head}"
[[trust.agency]]
id = "{agency}"
key = "{agency_key}"

[coordinator]
url = "https://{coordinator}"
id = "{coordinator_id}"
"#,
        id = unit.node(),
        unit = unit.party().id(),
        region = unit.city(),
        unit_key = key(files.approval_key(unit.party())?),
        coordinator_key = key(files.coordinator_key("signing")?),
        agency = Party::Agency.id(),
        agency_key = key(files.approval_key(Party::Agency)?),
        coordinator_id = cast::coordinator(),
    ))
}
