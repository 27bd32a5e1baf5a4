use super::*;
use tokio::io::AsyncReadExt;

fn peers(uids: &[u32], connections_max: usize) -> Peers {
    Peers {
        uids: uids.into(),
        idle_time_max: Duration::from_millis(5),
        connections_max,
    }
}

fn own() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[tokio::test]
async fn another_user_is_closed_before_a_byte_is_read() {
    let (server, mut client) = UnixStream::pair().unwrap();
    let door = peers(&[own().wrapping_add(1)], 1).door();
    assert!(door.admit(server).is_none());
    assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn connections_are_bounded_and_their_places_come_back() {
    let door = peers(&[own()], 2).door();
    let connect = || UnixStream::pair().unwrap();
    let mut clients = Vec::new();
    let mut admitted = Vec::new();
    for _ in 0..1_000 {
        let (server, client) = connect();
        admitted.extend(door.admit(server));
        clients.push(client);
        clients.truncate(4);
    }
    assert_eq!(admitted.len(), 2);
    drop(admitted.pop());
    assert!(door.admit(connect().0).is_some());
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let door = peers(&[own()], 2).door();
    let (server, _client) = UnixStream::pair().unwrap();
    let mut idle = door.admit(server).unwrap();
    let ended = idle.read(&mut [0; 1]).await.unwrap_err();
    assert_eq!(ended.kind(), std::io::ErrorKind::TimedOut);

    let (server, _client) = UnixStream::pair().unwrap();
    let mut busy = door.admit(server).unwrap();
    let activity = busy.activity();
    let running = activity.begin();
    let mut byte = [0; 1];
    let read = busy.read(&mut byte);
    tokio::pin!(read);
    // A request keeps it open however long it runs; this cannot fail on a slow machine, only pass too easily.
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut read).await;
    assert!(waited.is_err());
    drop(running);
    assert!(read.await.is_err());
}
