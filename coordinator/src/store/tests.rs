use super::*;

#[tokio::test]
async fn a_database_of_another_form_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.db");
    let store = Store::open(&path).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    set_setting(&mut tx, "a", "1").await.unwrap();
    set_setting(&mut tx, "a", "2").await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    // Opening again changes nothing.
    let store = Store::open(&path).await.unwrap();
    assert_eq!(store.setting("a").await.unwrap().as_deref(), Some("2"));
    sqlx::raw_sql("PRAGMA user_version = 7")
        .execute(&store.pool)
        .await
        .unwrap();
    store.close().await;
    assert!(matches!(
        Store::open(&path).await,
        Err(StoreError::Version { found: 7 })
    ));
}

#[tokio::test]
async fn commits_are_durable_when_they_return() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("registry.db")).await.unwrap();
    let pragma = async |name: &'static str| -> String {
        let row = sqlx::query(name).fetch_one(&store.pool).await.unwrap();
        row.try_get::<String, _>(0)
            .unwrap_or_else(|_| row.get::<i64, _>(0).to_string())
    };
    assert_eq!(pragma("PRAGMA journal_mode").await, "wal");
    assert_eq!(pragma("PRAGMA synchronous").await, "2", "2 is FULL");
    assert_eq!(pragma("PRAGMA foreign_keys").await, "1");
}

#[tokio::test]
async fn what_is_not_committed_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("registry.db")).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    insert_key(&mut tx, &[1; 32], "log", "node_a")
        .await
        .unwrap();
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(key_owner(&mut tx, &[1; 32]).await.unwrap(), None);
    insert_key(&mut tx, &[1; 32], "log", "node_a")
        .await
        .unwrap();
    assert!(
        insert_key(&mut tx, &[1; 32], "approval", "party_b")
            .await
            .is_err(),
        "one key, one role"
    );
}
