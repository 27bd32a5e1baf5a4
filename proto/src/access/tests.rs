use super::*;

/// Everybody who may knock: what the certificate speaks for, and what the register says.
fn callers() -> Vec<(String, Option<Kind>, bool, Vec<Role>)> {
    let mut callers = vec![
        ("anonymous".to_owned(), None, false, vec![]),
        // An entry of the register without a certificate is worth nothing.
        (
            "anonymous enrolled".to_owned(),
            None,
            true,
            Role::ALL.to_vec(),
        ),
        (
            "coordinator".to_owned(),
            Some(Kind::Coordinator),
            true,
            Role::ALL.to_vec(),
        ),
        ("node".to_owned(), Some(Kind::Node), true, vec![]),
        (
            "unenrolled node".to_owned(),
            Some(Kind::Node),
            false,
            vec![],
        ),
        ("party".to_owned(), Some(Kind::Party), true, vec![]),
        (
            "unenrolled party".to_owned(),
            Some(Kind::Party),
            false,
            vec![],
        ),
    ];
    for role in Role::ALL {
        callers.push((role.to_string(), Some(Kind::Party), true, vec![role]));
        callers.push((
            format!("unenrolled {role}"),
            Some(Kind::Party),
            false,
            vec![role],
        ));
    }
    callers
}

/// Who gets in, written down by hand: the table is compared with this, not with itself.
fn expected(rpc: Rpc) -> Vec<&'static str> {
    let parties = [
        "party",
        "catalog_licensee",
        "data_source_unit",
        "implementing_agency",
        "operating_agency",
        "regulator",
        "scenario_licensee",
        "verifier",
        "unenrolled party",
        "unenrolled catalog_licensee",
        "unenrolled data_source_unit",
        "unenrolled implementing_agency",
        "unenrolled operating_agency",
        "unenrolled regulator",
        "unenrolled scenario_licensee",
        "unenrolled verifier",
    ];
    match rpc {
        Rpc::BodiesOpenBodies
        | Rpc::CallsExplain
        | Rpc::CallsLinks
        | Rpc::CallsQuery
        | Rpc::CallsScore
        | Rpc::CallsVerify
        | Rpc::CallsVerifyStream => parties.to_vec(),
        Rpc::EnrolmentEnrol => [&parties[..], &["node", "unenrolled node"]].concat(),
        Rpc::EnrolmentIssueCode => vec!["operating_agency"],
        Rpc::RegistryFile | Rpc::RegistryLift | Rpc::RegistryRevoke | Rpc::RegistrySuspend => {
            vec!["operating_agency", "data_source_unit"]
        }
        Rpc::MirrorEntries | Rpc::MirrorReplicate | Rpc::SyncWatch => vec!["node"],
        Rpc::AuditFollow => vec!["regulator"],
        Rpc::WorkflowAct | Rpc::WorkflowApply => {
            vec!["catalog_licensee", "operating_agency", "scenario_licensee"]
        }
        Rpc::WorkflowList | Rpc::WorkflowShow => parties[..8].to_vec(),
        Rpc::WorkflowOpine => vec![
            "data_source_unit",
            "implementing_agency",
            "operating_agency",
        ],
        Rpc::WorkflowPropose => vec!["operating_agency"],
        Rpc::WorkflowSign => vec!["catalog_licensee", "data_source_unit", "scenario_licensee"],
    }
}

#[test]
fn each_rpc_admits_exactly_whom_it_should() {
    for rpc in Rpc::ALL {
        let row = admission(*rpc);
        let expected = expected(*rpc);
        for (name, kind, enrolled, roles) in callers() {
            let admitted = row.admits(kind, enrolled, &roles);
            assert_eq!(
                admitted.is_ok(),
                expected.contains(&name.as_str()),
                "{} by {name}: {admitted:?}",
                rpc.path()
            );
        }
    }
}

#[test]
fn refusals_say_what_is_missing() {
    let code = |rpc, kind, enrolled, roles: &[Role]| admission(rpc).admits(kind, enrolled, roles);
    assert_eq!(
        code(Rpc::CallsVerify, None, false, &[]),
        Err(ErrorCode::CallerCertUntrusted)
    );
    assert_eq!(
        code(Rpc::CallsVerify, Some(Kind::Coordinator), true, &[]),
        Err(ErrorCode::CallerRoleForbidden)
    );
    assert_eq!(
        code(Rpc::SyncWatch, Some(Kind::Node), false, &[]),
        Err(ErrorCode::NotEnrolled)
    );
    // A suspended party learns that it is suspended, not which roles would do.
    assert_eq!(
        code(
            Rpc::AuditFollow,
            Some(Kind::Party),
            false,
            &[Role::Regulator]
        ),
        Err(ErrorCode::NotEnrolled)
    );
    assert_eq!(
        code(
            Rpc::AuditFollow,
            Some(Kind::Party),
            true,
            &[Role::ScenarioLicensee]
        ),
        Err(ErrorCode::CallerRoleForbidden)
    );
}

/// The coordinator and the nodes must not answer for each other.
#[test]
fn only_calls_and_what_is_sealed_of_them_are_served_by_nodes() {
    for rpc in Rpc::ALL {
        let at_node = ["/lingqu.v1.Calls/", "/lingqu.v1.Bodies/"];
        let by_node = at_node
            .iter()
            .any(|service| rpc.path().starts_with(service));
        assert_eq!(
            admission(*rpc).server == Server::Node,
            by_node,
            "{}",
            rpc.path()
        );
    }
}

#[test]
fn the_document_has_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/access.md");
    let document = std::fs::read_to_string(path).unwrap();
    let table = access_table();
    assert!(
        document.contains(&table),
        "docs/access.md must contain:\n{table}"
    );
}
