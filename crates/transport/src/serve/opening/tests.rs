use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Opened, PREFACE, Version, begun};

/// Sends `bytes` one by one and then ends; what they begin, and all that is read from the stream then.
async fn trickled(bytes: &[u8]) -> std::io::Result<(Version, Vec<u8>)> {
    let (mut there, mut here) = tokio::io::duplex(1);
    let sent = bytes.to_vec();
    let sending = tokio::spawn(async move {
        there.write_all(&sent).await.unwrap();
    });
    let (version, read) = begun(&mut here).await?;
    let mut all = Vec::new();
    Opened::new(here, read).read_to_end(&mut all).await?;
    sending.await.unwrap();
    Ok((version, all))
}

#[tokio::test]
async fn the_version_is_told_by_the_first_bytes_and_none_of_them_is_lost() {
    let mut two = PREFACE.to_vec();
    two.extend(b"settings and more");
    let one = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    // As long as it may still be a preface, it is read on; the first byte that differs decides.
    let nearly = b"PRI * HTTP/2.1\r\n\r\n".to_vec();
    for (bytes, expected) in [
        (two, Version::Http2),
        (one, Version::Http1),
        (nearly, Version::Http1),
    ] {
        let (version, all) = trickled(&bytes).await.unwrap();
        assert_eq!(version, expected);
        assert_eq!(all, bytes);
    }
}

#[tokio::test]
async fn half_a_preface_is_no_beginning() {
    for len in 0..PREFACE.len() {
        let ended = trickled(&PREFACE[..len]).await;
        assert_eq!(
            ended.unwrap_err().kind(),
            std::io::ErrorKind::UnexpectedEof,
            "{len}"
        );
    }
}

#[tokio::test]
async fn what_was_read_is_given_out_in_pieces_of_any_size() {
    let (mut there, mut here) = tokio::io::duplex(64);
    there.write_all(PREFACE).await.unwrap();
    let (_, read) = begun(&mut here).await.unwrap();
    let mut opened = Opened::new(here, read);
    let mut all: Vec<u8> = Vec::new();
    let mut piece = [0; 5];
    while all.len() < PREFACE.len() {
        let count = opened.read(&mut piece).await.unwrap();
        all.extend(&piece[..count]);
    }
    assert_eq!(all, PREFACE);
}
