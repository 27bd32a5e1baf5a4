//! The page from outside: who sees it, what of whose region, and what others can do to it by what they write.

mod audit;

use std::net::SocketAddr;
use std::path::Path;

use axum::body::Body;
use http::{Method, StatusCode};
use lingqu_core::record::StreamId;
use lingqu_core::{NodeId, Role};
use lingqu_transport::{Connections, Peer};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::mirror::testbed::{START, Writer, replicate};
use crate::places::Places;
use crate::registry::Registry;
use crate::registry::testbed::{
    self as bed, AGENCY, GRANTORS, Net, enrol, file_grant, file_product, new_node, new_party,
    party, populate,
};

/// What a name can be made of by whoever is enrolled.
const ATTACK: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;\u{202e}";

struct World {
    net: Net,
    registry: Arc<Registry>,
    auditor: Arc<crate::audit::Auditor>,
    router: Router,
}

impl World {
    /// A product and a grant at a node of 4501; a second node in 4502; regulators of 45, 4501 and 4502.
    async fn new() -> World {
        World::over(Net::new()).await
    }

    async fn over(net: Net) -> World {
        let registry = net.open().await;
        populate(&registry).await;
        for (id, role, region) in [
            ("party_wide", Role::Regulator, "45"),
            ("party_far", Role::Regulator, "4502"),
            ("party_farunit", Role::DataSourceUnit, "4502"),
            ("party_agency3", Role::OperatingAgency, "4502"),
        ] {
            let mut new = new_party(id, role, region);
            new.display_name = format!("{ATTACK} {id}");
            enrol(&registry, new).await.unwrap();
        }
        let mut far = new_node("node_far", "party_farunit", "4502");
        far.display_name = format!("{ATTACK} far");
        enrol(&registry, far).await.unwrap();
        file_product(&registry).await;
        file_grant(&registry, &bed::grant(&net.clock))
            .await
            .unwrap();
        let services = services(&registry);
        World {
            net,
            registry,
            auditor: Arc::clone(&services.auditor),
            router: services.router(),
        }
    }

    async fn get(&self, who: &str, path: &str) -> (StatusCode, http::HeaderMap, String) {
        self.request(Method::GET, who, path, "").await
    }

    async fn request(
        &self,
        method: Method,
        who: &str,
        path: &str,
        accepted: &str,
    ) -> (StatusCode, http::HeaderMap, String) {
        let peer = Peer {
            id: who.parse().unwrap(),
            fingerprint: [1; 32],
            not_before: Timestamp(0),
            not_after: Timestamp(i64::MAX),
            authority: "gx".to_owned(),
        };
        let remote = SocketAddr::from(([127, 0, 0, 1], 1));
        let connected = Connected::new(Ok(peer), remote, self.net.clock.clone());
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().unwrap();
        if !accepted.is_empty() {
            let accepted = accepted.parse().unwrap();
            request
                .headers_mut()
                .insert(header::ACCEPT_LANGUAGE, accepted);
        }
        request.extensions_mut().insert(Arc::new(connected));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 4 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        (parts.status, parts.headers, body)
    }

    async fn page(&self, who: &str) -> String {
        let (status, _, page) = self.get(who, "/console?lang=en").await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page
    }

    /// A stream of one call and one refusal at a node.
    async fn call_at(&self, node: &str, product: &str) {
        let id: NodeId = node.parse().unwrap();
        let enrolled = self.registry.node(&id).unwrap();
        let mut writer = Writer::new(&node["node_".len()..], enrolled.region.as_str(), 1);
        writer.signer = bed::key(node);
        assert_eq!(writer.origin(), enrolled.origin);
        let stream = StreamId::of::<Intl>(&enrolled.origin);
        for (index, outcome) in ["ANSWERED", "GRANT_EXPIRED"].into_iter().enumerate() {
            let kind = if index == 0 {
                Kind::Call
            } else {
                Kind::Denials
            };
            let mut draft = Draft::new(kind);
            draft.clear = Clear::default()
                .text(Field::Caller, "party_bank")
                .text(Field::EndUser, "91450000CANARY1")
                .text(Field::Scenario, "S-CANARY2")
                .text(Field::Product, product)
                .text(Field::Environment, "PROD")
                .text(Field::Outcome, outcome)
                .number(Field::Count, 3);
            let time = Timestamp(START + 1 + i64::try_from(index).unwrap());
            let record = draft.at(stream, index as u64, time);
            writer.entries.push(record.encode::<Intl>());
        }
        replicate(&self.registry.mirror, &writer, 2).await;
    }
}

fn services(registry: &Arc<Registry>) -> Services {
    let mirror = Arc::clone(&registry.mirror);
    let names = crate::keys::Names::new("coord.example");
    Services {
        auditor: Arc::new(crate::audit::Auditor::new(mirror, &registry.keys, names)),
        registry: Arc::clone(registry),
        mirror: Arc::clone(&registry.mirror),
        followers: Places::new(4),
        readers: Places::new(4),
        writers: Places::new(4),
        viewers: Places::new(4),
        connections: Connections::new(),
        ending: CancellationToken::new(),
    }
}

/// who supervises a region sees that region and what lies below, and nothing beside it.
#[tokio::test]
async fn each_viewer_sees_its_own_region_and_no_other() {
    let world = World::new().await;
    world.call_at("node_n", "unit.person").await;
    world.call_at("node_far", "farunit.secret").await;
    for (viewer, near, far) in [
        ("party_wide", true, true),
        (AGENCY, true, true),
        ("party_office", true, false),
        ("party_agency2", true, false),
        ("party_far", false, true),
        ("party_agency3", false, true),
    ] {
        let page = world.page(viewer).await;
        for here in [
            "node_n",
            "unit.person",
            "grant_1",
            ">in force<",
            ">approved<",
        ] {
            assert_eq!(page.contains(here), near, "{viewer}: {here}");
        }
        for there in ["node_far", "farunit.secret"] {
            assert_eq!(page.contains(there), far, "{viewer}: {there}");
        }
        for hidden in ["CANARY1", "CANARY2", "91450100MA5K00000B"] {
            assert!(!page.contains(hidden), "{viewer}: {hidden}");
        }
        assert!(
            page.contains("GRANT_EXPIRED") && page.contains("× 3"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn only_supervisors_and_agencies_get_in_and_only_by_this_path() {
    let world = World::new().await;
    for stranger in ["party_bank", "party_unit"] {
        let (status, _, said) = world.get(stranger, "/console").await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{stranger}");
        assert!(said.contains("CALLER_ROLE_FORBIDDEN"), "{said}");
    }
    for machine in ["node_n", "coord_gx"] {
        assert_eq!(
            world.get(machine, "/console").await.0,
            StatusCode::FORBIDDEN
        );
    }
    let (status, _, said) = world.get("party_nobody", "/console").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said.contains("NOT_ENROLLED"), "{said}");
    for path in [
        "/",
        "/console/",
        "/console/x",
        "/Console",
        "/%63onsole",
        "/consolex",
        "/metrics",
        "/health/ready",
    ] {
        let (status, _, said) = world.get("party_office", path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {said}");
    }
    for method in [
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
    ] {
        let (status, _, said) = world
            .request(method.clone(), "party_office", "/console", "")
            .await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert!(said.is_empty());
    }
    // Whoever is revoked sees nothing more.
    let revocation = bed::revocation(AGENCY, "party_office", &world.net.clock);
    world
        .registry
        .revoke(&party(AGENCY), revocation)
        .await
        .unwrap();
    let (status, _, said) = world.get("party_office", "/console").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(said.contains("CALLER_REVOKED"), "{said}");
}

/// Names of parties and nodes and titles of products are texts that others write.
#[tokio::test]
async fn what_others_write_stays_text() {
    let world = World::new().await;
    let markup: String = ATTACK
        .chars()
        .filter(|letter| *letter != '\u{202e}')
        .collect();
    let mut product = bed::product();
    product.reference.version = 2;
    product.title_en = format!("{markup}{{{{ 7*7 }}}}");
    product.title_zh = product.title_en.clone();
    let file = async |object| world.registry.file(&party(AGENCY), object).await;
    file(bed::sealed(&product, &[AGENCY])).await.unwrap();
    // What turns the direction of writing, and what is no code word, does not even get into the register.
    product.reference.version = 3;
    product.title_en = ATTACK.to_owned();
    assert!(file(bed::sealed(&product, &[AGENCY])).await.is_err());
    let mut grant = bed::grant(&world.net.clock);
    grant.id = "grant_2".parse().unwrap();
    grant.scenario = markup;
    assert!(file(bed::sealed(&grant, &GRANTORS)).await.is_err());
    for language in ["zh", "en"] {
        let (_, headers, page) = world
            .get("party_wide", &format!("/console?lang={language}"))
            .await;
        assert!(
            !page.contains("<script") && !page.contains("<img"),
            "{page}"
        );
        assert!(!page.contains('\u{202e}'), "{page}");
        assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
        assert!(page.contains("{{ 7*7 }}"), "{page}");
        assert_eq!(
            page.matches("alert(2)").count(),
            page.matches("onerror=alert(2)&#62;").count()
        );
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    for query in [
        "lang=%22%3E%3Cscript%3E",
        "refresh=%22onload=x",
        "lang=en&refresh=1%22%3E",
    ] {
        let (status, _, page) = world.get("party_wide", &format!("/console?{query}")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!page.contains("onload") && !page.contains("%22") && !page.contains("http-equiv"));
    }
}

#[tokio::test]
async fn the_page_stands_alone_and_is_kept_nowhere() {
    let world = World::new().await;
    let (_, headers, page) = world.get("party_office", "/console?refresh=1").await;
    for (name, expected) in [
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(headers[name], expected);
    }
    for absent in [
        "http://",
        "https://",
        "src=",
        "url(",
        "@import",
        "<form",
        "<iframe",
        " on",
        "javascript:",
    ] {
        let found = page.to_lowercase().find(absent);
        // `on` stands in words, so only attributes are looked for.
        let is_attribute = absent != " on" || page.contains(" onclick") || page.contains(" onload");
        assert!(found.is_none() || !is_attribute, "{absent}");
    }
    // The one style sheet is the one that the policy names, byte for byte.
    let (_, rest) = page.split_once("<style>").unwrap();
    let (style, _) = rest.split_once("</style>").unwrap();
    let digest = BASE64.encode(Intl::digest(&[style.as_bytes()]).0);
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains(&format!("'sha256-{digest}'")), "{policy}");
    assert!(page.contains("<meta http-equiv=\"refresh\" content=\"10\">"));
    assert!(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("templates/console.css")
            .exists()
    );
}

#[tokio::test]
async fn it_speaks_chinese_unless_asked_otherwise() {
    let world = World::new().await;
    let by = async |accepted: &str, path: &str| {
        world
            .request(Method::GET, "party_office", path, accepted)
            .await
            .2
    };
    let page = by("", "/console").await;
    assert!(
        page.contains("<html lang=\"zh\">")
            && page.contains("数源节点")
            && page.contains("人员核验")
    );
    let page = by("en-GB,en;q=0.8", "/console").await;
    assert!(
        page.contains("<html lang=\"en\">") && page.contains("Nodes") && page.contains(">person<")
    );
    let page = by("en", "/console?lang=zh").await;
    assert!(page.contains("<html lang=\"zh\">"));
}

/// Whoever watches is watched; a page that is refreshed is one look in ten minutes.
#[tokio::test]
async fn the_look_is_on_record_before_the_page_leaves() {
    let world = World::new().await;
    let looks = || {
        let mut looks = Vec::new();
        let mirror = &world.registry.mirror;
        let visit = |record: lingqu_core::record::Record| {
            let clear = &record.draft.clear;
            if clear.get_text(Field::Action) == Some("console") {
                looks.push(clear.get_text(Field::Actor).unwrap().to_owned());
            }
        };
        mirror.own_records(visit).unwrap();
        looks
    };
    assert!(looks().is_empty());
    world.page("party_office").await;
    world.page("party_office").await;
    assert_eq!(looks(), ["party_office"]);
    world.page("party_far").await;
    world.net.clock.advance(LOOK);
    world.page("party_office").await;
    assert_eq!(looks(), ["party_office", "party_far", "party_office"]);
    let (status, _, _) = world.get("party_bank", "/console").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(looks().len(), 3, "who does not get in has not looked");
}

/// A console that is looked at by many costs a bounded number of pages at a time.
#[tokio::test]
async fn rows_and_calls_are_bounded_and_it_says_so() {
    let mut net = Net::new();
    net.config.limits.console_rows_max = 1;
    net.config.limits.console_calls_max = 1;
    let registry = net.open().await;
    populate(&registry).await;
    let services = services(&registry);
    let world = World {
        net,
        registry,
        auditor: Arc::clone(&services.auditor),
        router: services.router(),
    };
    world.call_at("node_n", "unit.person").await;
    let page = world.page("party_office").await;
    assert!(
        page.contains("node_n") && !page.contains("node_o"),
        "{page}"
    );
    assert!(page.contains("Only the newest are shown"));
    assert_eq!(page.matches("unit.person").count(), 1);
}
