//! Callers go on over the end of a stream with the trust file of before: the node itself hands out what proves the next
//! stream's key, and nobody's file is changed unless that is asked for.

use std::collections::BTreeMap;
use std::fs;

use lingqu_client::{CallFailed, Node};
use lingqu_core::succession::place;
use lingqu_core::trust::Trust;
use lingqu_demo::cast::{Party, Unit};
use lingqu_proto::Verdict;
use lingqu_proto::pb;
use lingqu_proto::pb::calls_client::CallsClient;
use lingqu_tlog::{Intl, Signer, VerifierKey};
use lingqu_transport::signing_key;

use crate::binary::run;
use crate::network::{GRANT, World};
use crate::succession::{NEXT_KEY, call, end_stream, go_on, key_of};

/// A world whose stream is followed by two others, the first of them under another key; and the trust of before.
async fn followed() -> (World, Trust<Intl>, [VerifierKey<Intl>; 2]) {
    let mut world = World::ready().await;
    let before = world.trust.clone();
    signing_key::create(&world.network.files().dir().join(NEXT_KEY)).unwrap();
    let next = key_of(&world, "9999h1", NEXT_KEY);
    world.network.stop_node().await.unwrap();
    world
        .start_node_with(|config| {
            config.keys.log_next = Some(config.keys.log.with_file_name("log-next.key"));
        })
        .await;
    end_stream(&mut world, &next).await;
    go_on(&mut world, &next).await;
    fs::remove_file(world.state().join("succession.begin")).unwrap();
    let last = key_of(&world, "9999h2", NEXT_KEY);
    end_stream(&mut world, &last).await;
    go_on(&mut world, &last).await;
    (world, before, [next, last])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_follows_with_the_trust_file_of_before() {
    let (world, before, keys) = followed().await;
    let identity = world.network.identity(Party::Bank).unwrap();
    let channel = world.network.dial_node(&identity).await.unwrap();
    let node = Node::over(channel.clone(), before.clone());
    let answered = node.verify(&call()).await.unwrap();
    assert_eq!(answered.value, Verdict::Match);
    assert_eq!(
        &answered.receipt.checkpoint.origin,
        world.journal().origin()
    );
    let steps = node.followed();
    let next: Vec<_> = steps.iter().map(|step| step.next.clone()).collect();
    assert_eq!(next, keys);
    assert!(steps.iter().all(|step| !step.is_order_checked));
    // With the unit's key the orders are checked; with another one nothing is handed over.
    let unit_key = world.node().config().trust.unit_key.clone();
    let with = |key: &[u8]| {
        let units = BTreeMap::from([(Party::Unit.id(), key.to_vec())]);
        Node::over(channel.clone(), before.with_units(units))
    };
    let node = with(&unit_key);
    node.verify(&call()).await.unwrap();
    assert!(node.followed().iter().all(|step| step.is_order_checked));
    let other = world.network.approval_key(Party::Bank).unwrap();
    let refused = with(other.public_key()).verify(&call()).await;
    assert!(
        matches!(refused, Err(CallFailed::Succession(_))),
        "{refused:?}"
    );
    // Who trusts another node's stream is led nowhere.
    let stranger = Trust::of_logs(&[key_of_another(&world)]).unwrap();
    let refused = Node::over(channel.clone(), stranger).verify(&call()).await;
    assert!(
        matches!(refused, Err(CallFailed::Receipt(_))),
        "{refused:?}"
    );
    // What is handed out is what is asked for, and nothing of a call is in it.
    let links = async |after: &str| {
        let request = pb::LinksRequest {
            after: after.to_owned(),
        };
        let links = CallsClient::new(channel.clone()).links(request).await;
        links.unwrap().into_inner().first_records
    };
    let all = links("").await;
    assert_eq!(all.len(), 2);
    assert!(
        all.iter()
            .all(|link| lingqu_core::succession::is_bare_link::<Intl>(link))
    );
    assert_eq!(links(keys[0].name().as_str()).await, all[1..]);
    assert_eq!(links(keys[1].name().as_str()).await, [] as [Vec<u8>; 0]);
    world.end().await;
}

fn key_of_another(world: &World) -> VerifierKey<Intl> {
    let key = key_of(world, "0000h1", NEXT_KEY);
    let name = key.name().as_str().replace("/s/", "/s/another-");
    VerifierKey::note(name.parse().unwrap(), key.public_key()).unwrap()
}

/// The command tells what it followed, and changes the trust file only if it is asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trust_file_is_extended_on_request() {
    let (world, _, keys) = followed().await;
    let files = world.network.files();
    let trust = files.dir().join("old-trust");
    let text = world.network.trust_text().unwrap();
    let first = place(keys[0].name().as_str());
    let is_later = |line: &&str| !keys.iter().any(|key| line.contains(&key.to_string()));
    let text: String = text
        .lines()
        .filter(is_later)
        .fold(String::new(), |text, line| text + line + "\n");
    assert!(text.contains(first));
    fs::write(&trust, &text).unwrap();
    let (cert, key) = files.party_tls(Party::Bank);
    let (url, node, ca) = (world.network.node_url(), Unit::Transport.node(), files.ca());
    let asked = call().asked;
    let product = asked.product.to_string();
    let shown = |path: &std::path::Path| path.display().to_string();
    let (cert, key, ca, file) = (shown(&cert), shown(&key), shown(&ca), shown(&trust));
    let line = [
        "call",
        "verify",
        "--node",
        &url,
        "--node-id",
        node.as_str(),
        "--cert",
        &cert,
        "--key",
        &key,
        "--ca",
        &ca,
        "--trust",
        &file,
        "--product",
        &product,
        "--purpose",
        &asked.purpose,
        "--scenario",
        &asked.scenario,
        "--end-user",
        &asked.end_user,
        "--grant",
        GRANT,
    ];
    let claims = call()
        .arguments
        .into_iter()
        .map(|(field, value)| match value {
            lingqu_proto::ClaimValue::Integer(number) => format!("{field}={number}"),
            lingqu_proto::ClaimValue::Text(text) => format!("{field}={text}"),
        });
    let claims: Vec<String> = claims.collect();
    let call = |more: &[&str]| {
        let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
        let line = [&line[..], more, &claims].concat();
        tokio::task::block_in_place(|| run(&line))
    };
    let ran = call(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.notes.contains(keys[1].name().as_str()), "{ran:?}");
    assert_eq!(fs::read_to_string(&trust).unwrap(), text, "silently");
    let ran = call(&["--update-trust"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let longer = fs::read_to_string(&trust).unwrap();
    assert!(longer.starts_with(&text));
    assert!(
        keys.iter()
            .all(|key| longer.contains(&format!("log {key}\n")))
    );
    // The same without a call, for whoever calls with another program.
    fs::write(&trust, &text).unwrap();
    let more = shown(&files.dir().join("new-trust"));
    let words = [
        "audit",
        "trust",
        "--trust",
        &file,
        "--node",
        &url,
        "--node-id",
        node.as_str(),
        "--cert",
        &cert,
        "--key",
        &key,
        "--ca",
        &ca,
        "--out",
    ];
    let words = [&words[..], &[more.as_str()]].concat();
    let ran = tokio::task::block_in_place(|| run(&words));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fs::read_to_string(&more).unwrap(), longer);
    fs::write(&trust, &longer).unwrap();
    // Nothing is left to follow.
    let ran = call(&["--update-trust"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.notes.contains("follows"), "{ran:?}");
    assert_eq!(fs::read_to_string(&trust).unwrap(), longer);
    world.end().await;
}
