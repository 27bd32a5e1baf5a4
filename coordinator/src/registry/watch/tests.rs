use lingqu_core::epoch::Epoch;
use lingqu_core::grant::Filing;
use lingqu_proto::open;

use super::super::testbed::*;
use super::*;

async fn begin(registry: &Arc<Registry>, id: &str) -> mpsc::Receiver<Result<Update, ErrorCode>> {
    let (sender, receiver) = mpsc::channel(1);
    let watched = registry.node(&node(id)).unwrap();
    let registry = Arc::clone(registry);
    tokio::spawn(async move {
        if let Err(code) = watch(registry, watched, sender.clone()).await {
            let _ = sender.send(Err(code)).await;
        }
    });
    receiver
}

async fn epoch(updates: &mut mpsc::Receiver<Result<Update, ErrorCode>>) -> Epoch {
    match updates.recv().await.unwrap().unwrap() {
        Update::Epoch(envelope) => open(&envelope).unwrap(),
        other @ Update::Object { .. } => panic!("{other:?}"),
    }
}

async fn object(updates: &mut mpsc::Receiver<Result<Update, ErrorCode>>) -> String {
    match updates.recv().await.unwrap().unwrap() {
        Update::Object { object, filing } => {
            let filing: Filing = open(&filing).unwrap();
            assert_eq!(filing.object_digest, object.digest());
            object.payload_type
        }
        other @ Update::Epoch(_) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_node_gets_the_epoch_then_what_concerns_it_then_what_comes() {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    file_product(&registry).await;
    let mut updates = begin(&registry, "node_n").await;
    let mut strangers = begin(&registry, "node_o").await;
    assert_eq!(epoch(&mut updates).await.number, 1);
    assert_eq!(epoch(&mut strangers).await.number, 1);
    for expected in [
        "lingqu.v1.Policy",
        "lingqu.v1.Product",
        "lingqu.v1.ProductApproval",
    ] {
        assert_eq!(object(&mut updates).await, expected);
    }
    file_grant(&registry, &grant(&net.clock)).await.unwrap();
    assert_eq!(object(&mut updates).await, "lingqu.v1.Grant");
    registry
        .revoke(&party(AGENCY), revocation(AGENCY, "grant_1", &net.clock))
        .await
        .unwrap();
    let pushed = epoch(&mut updates).await;
    assert_eq!((pushed.number, pushed.revoked.len()), (2, 1));
    // Another unit's node saw nothing of the objects: the next thing it gets is the epoch.
    assert_eq!(epoch(&mut strangers).await.number, 2);
    registry.renew_epoch().await;
    assert_eq!(epoch(&mut updates).await.number, 2);
}

#[tokio::test]
async fn a_reconnecting_node_gets_everything_again() {
    let net = Net::new();
    let registry = net.open().await;
    populate(&registry).await;
    file_product(&registry).await;
    for _ in 0..2 {
        let mut updates = begin(&registry, "node_n").await;
        epoch(&mut updates).await;
        for expected in [
            "lingqu.v1.Policy",
            "lingqu.v1.Product",
            "lingqu.v1.ProductApproval",
        ] {
            assert_eq!(object(&mut updates).await, expected);
        }
    }
}

#[tokio::test]
async fn watchers_have_a_limit() {
    let mut net = Net::new();
    net.config.limits.watchers_max = 1;
    let registry = net.open().await;
    populate(&registry).await;
    let mut first = begin(&registry, "node_n").await;
    epoch(&mut first).await;
    let mut second = begin(&registry, "node_o").await;
    assert_eq!(second.recv().await, Some(Err(ErrorCode::Overloaded)));
}
