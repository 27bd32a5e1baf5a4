//! The audit page: for regulators alone, each within its region, with proofs that need nobody's word.

use lingqu_core::receipt::receipts_from_text;
use lingqu_core::succession::SuccessionOrder;
use lingqu_core::trust::Trust;
use lingqu_proto::encode_envelope;
use lingqu_testkit::HandWritten;
use lingqu_tlog::{Ed25519Signer, Signer};

use super::*;
use crate::mirror::replicate::{Answer, Said};
use crate::mirror::testbed::say;

impl World {
    /// Everything that is mirrored by now was read back and checked.
    async fn audited(&self) -> &World {
        self.registry.mirror.tick().await.unwrap();
        self.auditor.catch_up().await;
        self
    }

    async fn audit(&self, who: &str, query: &str) -> String {
        let (status, _, page) = self.get(who, &format!("/audit{query}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page
    }

    fn actions(&self, action: &str) -> Vec<String> {
        let mut found = Vec::new();
        let visit = |record: lingqu_core::record::Record| {
            let clear = &record.draft.clear;
            if clear.get_text(Field::Action) == Some(action) {
                found.push(clear.get_text(Field::Actor).unwrap().to_owned());
            }
        };
        self.registry.mirror.own_records(visit).unwrap();
        found
    }

    /// Trust in the streams of two nodes, and in the mirror.
    fn trust(&self) -> Trust<Intl> {
        let logs = ["node_n", "node_far"].map(|id| {
            let node = self.registry.node(&id.parse().unwrap()).unwrap();
            let stream = self.registry.mirror.shared.stream(&node.origin).unwrap();
            format!("log {}\n", stream.log_key)
        });
        let mirror = lingqu_tlog::VerifierKey::<Intl>::cosignature(
            crate::keys::Names::new("coord.example").mirror(),
            self.registry.keys.mirror.public_key(),
        );
        let mirror = mirror.unwrap();
        let text = format!("{}witness m {mirror}\nquorum m\n", logs.concat());
        Trust::parse(&text).unwrap()
    }
}

/// The links of a page that begin so, as a browser would follow them.
fn links(page: &str, begin: &str) -> Vec<String> {
    let found = page.split("href=\"").skip(1);
    let found = found.map(|rest| rest.split('"').next().unwrap());
    let found = found.filter(|link| link.starts_with(begin));
    found
        .map(|link| link.replace("&#38;", "&").replace("&amp;", "&"))
        .collect()
}

/// a regulator sees its region and below; nobody else sees anything, an operating agency included.
#[tokio::test]
async fn regulators_see_their_own_region_and_nobody_else_sees_anything() {
    let world = World::new().await;
    world.call_at("node_n", "unit.person").await;
    world.call_at("node_far", "farunit.secret").await;
    world.audited().await;
    for (viewer, near, far) in [
        ("party_wide", true, true),
        ("party_office", true, false),
        ("party_far", false, true),
    ] {
        let page = world.audit(viewer, "?lang=en&kinds=all").await;
        for (word, expected) in [
            ("unit.person", near),
            ("farunit.secret", far),
            ("/s/n/4501/", near),
            ("/s/far/4502/", far),
        ] {
            assert_eq!(page.contains(word), expected, "{viewer}: {word}");
        }
        assert!(page.contains(">checked<") && !page.contains("does not hold"));
        assert!(page.contains("GRANT_EXPIRED") && page.contains("× 3"));
    }
    for path in [
        "/audit",
        "/audit/receipt?stream=x&head=0&index=0",
        "/audit/receipts",
    ] {
        for stranger in [
            AGENCY,
            "party_agency3",
            "party_bank",
            "party_unit",
            "node_n",
            "coord_gx",
        ] {
            let (status, _, said) = world.get(stranger, path).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{stranger} {path}");
            assert!(said.contains("CALLER_ROLE_FORBIDDEN"), "{said}");
        }
    }
    for path in [
        "/audit/",
        "/Audit",
        "/audit/x",
        "/audit/receipts/",
        "/auditx",
    ] {
        let (status, _, _) = world.get("party_office", path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
    }
    // A narrower region of one's own is looked at; one beside it is refused, as the feed refuses it.
    assert!(
        world
            .audit("party_wide", "?region=4501")
            .await
            .contains("unit.person")
    );
    assert!(
        !world
            .audit("party_wide", "?region=4501")
            .await
            .contains("farunit.secret")
    );
    for beside in ["4502", "45", "44"] {
        let (status, _, said) = world
            .get("party_office", &format!("/audit?region={beside}"))
            .await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{beside}");
        assert!(said.contains("REGION_FORBIDDEN"), "{said}");
    }
}

/// What is taken away verifies with the keys alone, and only of the own region.
#[tokio::test]
async fn receipts_verify_without_us_and_stay_within_the_region() {
    let world = World::new().await;
    world.call_at("node_n", "unit.person").await;
    world.call_at("node_far", "farunit.secret").await;
    world.audited().await;
    let page = world.audit("party_wide", "?lang=en").await;
    let single = links(&page, "/audit/receipt?");
    assert_eq!(single.len(), 4);
    for link in &single {
        let (status, headers, text) = world.get("party_wide", link).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let attached = headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert!(
            attached.starts_with("attachment; filename=\"lingqu."),
            "{attached}"
        );
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");
        let receipt = lingqu_core::receipt::Receipt::from_tlog_proof(&text).unwrap();
        receipt.verify(&world.trust()).unwrap();
    }
    let all = links(&page, "/audit/receipts");
    let (status, _, text) = world.get("party_wide", &all[0]).await;
    assert_eq!(status, StatusCode::OK);
    let receipts = receipts_from_text(&text).unwrap();
    assert_eq!(receipts.len(), 4);
    for receipt in &receipts {
        receipt.verify(&world.trust()).unwrap();
    }
    // The same filter as the page: one product, one record.
    let query = "?outcome=answered&product=unit.person";
    let (_, _, text) = world
        .get("party_wide", &format!("/audit/receipts{query}"))
        .await;
    assert_eq!(receipts_from_text(&text).unwrap().len(), 1);
    // The other region's records are not handed out to whoever knows their names.
    for link in single.iter().filter(|link| link.contains("far")) {
        let (status, _, said) = world.get("party_office", link).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(said.contains("REGION_FORBIDDEN"), "{said}");
    }
    for query in [
        "",
        "?stream=x",
        "?stream=x&head=-1&index=0",
        "?stream=x&head=1&index=1e3",
    ] {
        let (status, _, _) = world
            .get("party_office", &format!("/audit/receipt{query}"))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
    let taken = world.actions("audit_receipts");
    assert_eq!(
        taken.len(),
        6,
        "what was handed out is on record, and what was refused is not"
    );
    assert_eq!(world.actions("audit"), ["party_wide"]);
}

#[tokio::test]
async fn what_others_write_stays_text_and_queries_come_back_as_text() {
    let world = World::new().await;
    world.call_at("node_n", ATTACK).await;
    world.audited().await;
    let attack = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    for language in ["zh", "en"] {
        for query in [
            String::new(),
            format!("&party={attack}&product={attack}&purpose={attack}&unit={attack}"),
            format!("&outcome={attack}&kinds={attack}&from={attack}&before={attack}"),
        ] {
            let path = format!("/audit?lang={language}{query}");
            let (status, headers, page) = world.get("party_wide", &path).await;
            assert_eq!(status, StatusCode::OK);
            assert!(
                !page.contains("<script") && !page.contains("<img"),
                "{page}"
            );
            assert!(!page.contains('\u{202e}'), "{page}");
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
            assert!(policy.contains("form-action 'self'"), "{policy}");
            let (_, rest) = page.split_once("<style>").unwrap();
            let (style, rest) = rest.split_once("</style>").unwrap();
            let digest = BASE64.encode(Intl::digest(&[style.as_bytes()]).0);
            assert!(policy.contains(&format!("'sha256-{digest}'")), "{policy}");
            assert!(!rest.contains(" style="), "{rest}");
        }
    }
}

/// Pages are linked one to the next, and together hold every record once.
#[tokio::test]
async fn pages_follow_one_another_to_the_end() {
    let mut net = Net::new();
    net.config.limits.audit_rows_max = 3;
    let world = World::over(net).await;
    for node in ["node_n", "node_far"] {
        world.call_at(node, &format!("{node}.product")).await;
    }
    world.audited().await;
    let mut path = "?lang=en&kinds=all".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = world.audit("party_wide", &path).await;
        seen.extend(links(&page, "/audit/receipt?"));
        let older = links(&page, "?").into_iter().find(|link| {
            link.contains("before=")
                && page.contains("Older records")
                && !path.contains(link.as_str())
                && !link.contains("lang=zh")
                && !link.contains("refresh=1")
        });
        match older {
            Some(link) => path = link,
            None => break,
        }
        assert!(seen.len() < 200, "it never ends");
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
    let everything = world.auditor.window().search(
        &"45".parse().unwrap(),
        &crate::audit::search::Filter {
            kinds: crate::audit::search::Kinds::All,
            ..Default::default()
        },
        None,
        1_000,
        world.registry.now(),
    );
    // The look at the pages is a record itself, and came after the pages were made.
    assert_eq!(seen.len() as u64, everything.records);
}

impl World {
    /// Ends the stream of `node_n`, by its unit's order, and begins the one that follows: its key.
    async fn succeed(&self) -> Ed25519Signer {
        let node = self.registry.node(&"node_n".parse().unwrap()).unwrap();
        let mirror = &self.registry.mirror;
        let size = mirror.size(&node.origin);
        let mut old = HandWritten {
            signer: bed::key("node_n"),
            mirror: (
                "coord.example/mirror".to_owned(),
                Ed25519Signer::from_seed([102; 32]),
            ),
            entries: mirror
                .archive
                .entries(&node.origin, 0, size, usize::MAX)
                .unwrap(),
            ..HandWritten::new(&node.origin, 0, "")
        };
        old.time = Timestamp(START + 1_000);
        let next = old.next(&node.origin.replace("2026h2", "2027h1"), 77);
        let mut next = HandWritten {
            mirror: (old.mirror.0.clone(), Ed25519Signer::from_seed([102; 32])),
            ..next
        };
        let order = SuccessionOrder {
            unit: node.unit.clone(),
            node: node.id.clone(),
            issued: Timestamp(START),
            not_before: Timestamp(START),
            not_after: Timestamp(START).plus_months_utc8(1),
            ends: node.origin.clone(),
            begins: next.key().to_string(),
        };
        let envelope = bed::sealed(&order, &[node.unit.as_str()]);
        old.end(&encode_envelope(&envelope), &next, b"balances");
        next.begin(&old, b"balances");
        for (stream, first) in [(&old, size), (&next, 0)] {
            let from = usize::try_from(first).unwrap();
            let open = Said::Open {
                origin: stream.origin.clone(),
                checkpoint: String::new(),
                heads: None,
            };
            let batch = Said::Batch {
                first,
                entries: stream.entries[from..].to_vec(),
                checkpoint: stream.signed(stream.size()).to_string(),
            };
            let answers = say(mirror, "node_n", vec![open, batch]).await;
            let last = answers.last();
            assert!(matches!(last, Some(Answer::Cosigned { .. })), "{last:?}");
        }
        next.signer
    }
}

/// a stream that has ended stays where it was, and says which one to look at from there on.
#[tokio::test]
async fn a_stream_that_ended_is_shown_beside_the_one_that_follows() {
    let world = World::new().await;
    world.call_at("node_n", "unit.person").await;
    let next_key = world.succeed().await;
    world.audited().await;
    let page = world.audit("party_office", "?lang=en&kinds=all").await;
    let next = "coord.example/s/n/4501/2027h1";
    assert!(
        page.contains(&format!("ended, followed by {next}")),
        "{page}"
    );
    assert!(page.contains("unit.person") && !page.contains("does not hold"));
    for kind in ["STREAM_END", "STREAM_BEGIN"] {
        assert!(page.contains(kind), "{kind}");
    }
    assert!(!page.contains("FORWARD"), "balances are for machines");
    let page = world.audit("party_office", "?lang=zh").await;
    assert!(
        page.contains(&format!("已终结，后续日志流：{next}")),
        "{page}"
    );
    // The overview counts on, and nobody enrols with the new log key in another role.
    let node = world.registry.node(&"node_n".parse().unwrap()).unwrap();
    let mirror = &world.registry.mirror;
    assert_eq!(mirror.size_with_next(&node.origin), 3 + 2);
    assert_eq!(mirror.newest_cosigned(&node.origin).unwrap().size, 2);
    assert!(mirror.key_is_taken(next_key.public_key(), None));
    assert!(!mirror.key_is_taken(next_key.public_key(), Some("node_n")));
}
