use lingqu_core::ErrorCode;

use super::*;

#[test]
fn a_path_opens_at_its_own_server_and_only_as_it_is_written() {
    assert!(beside(Server::Coordinator, CONSOLE).is_some());
    assert!(beside(Server::Node, CONSOLE).is_none());
    for server in [Server::Coordinator, Server::Node] {
        assert!(beside(server, HEALTH_CHECK).is_some());
        for path in [
            "/",
            "/console/",
            "/console/x",
            "//console",
            "/Console",
            "/%63onsole",
            "/metrics",
            "/health/ready",
            "/grpc.health.v1.Health/Watch",
            "/lingqu.v1.Calls/Verify",
        ] {
            assert!(beside(server, path).is_none(), "{path}");
        }
    }
}

/// Who gets in, written down by hand.
#[test]
fn the_page_is_for_supervisors_and_the_agency_and_nobody_else() {
    let row = beside(Server::Coordinator, CONSOLE).unwrap();
    for role in Role::ALL {
        let expected = match role {
            Role::OperatingAgency | Role::Regulator => Ok(()),
            Role::CatalogLicensee
            | Role::DataSourceUnit
            | Role::ImplementingAgency
            | Role::ScenarioLicensee
            | Role::Verifier => Err(ErrorCode::CallerRoleForbidden),
        };
        assert_eq!(
            row.admits(Some(Kind::Party), true, &[role]),
            expected,
            "{role}"
        );
        assert_eq!(
            row.admits(Some(Kind::Party), false, &[role]),
            Err(ErrorCode::NotEnrolled)
        );
    }
    for kind in [Kind::Coordinator, Kind::Node] {
        let admitted = row.admits(Some(kind), true, &Role::ALL);
        assert_eq!(admitted, Err(ErrorCode::CallerRoleForbidden));
    }
    assert_eq!(
        row.admits(None, true, &Role::ALL),
        Err(ErrorCode::CallerCertUntrusted)
    );
}

#[test]
fn whether_a_server_is_ready_is_told_to_verified_identities_only() {
    let row = beside(Server::Node, HEALTH_CHECK).unwrap();
    for kind in [Kind::Coordinator, Kind::Node, Kind::Party] {
        assert_eq!(row.admits(Some(kind), false, &[]), Ok(()));
    }
    assert_eq!(
        row.admits(None, false, &[]),
        Err(ErrorCode::CallerCertUntrusted)
    );
}

#[test]
fn the_document_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/access.md");
    let document = std::fs::read_to_string(path).unwrap();
    let table = beside_table();
    assert!(
        document.contains(&table),
        "docs/access.md must contain:\n{table}"
    );
}
