//! A source that is missing, truncated or of another schema: the node starts, the product does not open, callers are told
//! so, and status and doctor say it. When the file is whole again, so is the product.

use std::fs;

use lingqu_core::ErrorCode;
use lingqu_demo::cast::Party;
use lingqu_demo::network::wait_until;

use super::child::{on_record, refused, status};
use crate::binary;
use crate::network::World;

impl World {
    /// Starts the node with whatever lies there, and waits until it could answer if it had something to answer from.
    async fn start_node_over_spoilt_data(&mut self) {
        self.open_node(|_| {}).await;
        wait_until(&self.network, "the node is ready", |node| {
            node.ready() && node.epoch().is_some() && node.holdings().len() >= 4
        })
        .await
        .unwrap();
        self.mirrored().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoilt_source_closes_its_product_and_nothing_else() {
    let mut world = World::ready().await;
    let bank = world.caller(Party::Bank).await;
    let mut answered = vec![refused(&bank).await.unwrap()];
    let data = world.network.files().dir().join("node/data");
    let (planes, flights) = (data.join("planes.parquet"), data.join("flights.parquet"));
    let whole = fs::read(&planes).unwrap();
    let config = world.network.files().node_toml();
    let words = ["doctor", "--json", "--config", config.to_str().unwrap()];
    let other = fs::read(&flights).unwrap();
    type Spoilt<'a> = (&'a str, Option<&'a [u8]>, bool, ErrorCode);
    let (unavailable, changed) = (ErrorCode::ResourceUnavailable, ErrorCode::ResourceChanged);
    let cases: [Spoilt<'_>; 5] = [
        ("missing", None, true, unavailable),
        (
            "truncated",
            Some(&whole[..whole.len() - 100]),
            true,
            unavailable,
        ),
        ("empty", Some(b""), true, unavailable),
        (
            "no Parquet",
            Some(b"PAR1 but nothing of it PAR1"),
            true,
            unavailable,
        ),
        // It opens, and is not the table that the unit has looked at: only the node knows what that was.
        ("of another schema", Some(&other), false, changed),
    ];
    for (what, bytes, doctor_knows, code) in cases {
        world.network.stop_node().await.unwrap();
        match bytes {
            Some(bytes) => fs::write(&planes, bytes).unwrap(),
            None => fs::remove_file(&planes).unwrap(),
        }
        world.start_node_over_spoilt_data().await;
        let bank = world.caller(Party::Bank).await;
        let told = refused(&bank).await;
        assert_eq!(told, Err(Some(code)), "{what}");
        assert_eq!(status(&world).await.unwrap().products_open, 0, "{what}");
        let examined = tokio::task::block_in_place(|| binary::run(&words));
        let found = examined.out.contains("RESOURCE_UNAVAILABLE");
        assert_eq!(found, doctor_knows, "{what}: {}", examined.out);
    }
    world.network.stop_node().await.unwrap();
    fs::write(&planes, &whole).unwrap();
    world.start_node().await;
    let bank = world.caller(Party::Bank).await;
    answered.push(refused(&bank).await.unwrap());
    on_record(&world.records().await, &answered);
    world.end().await;
}
