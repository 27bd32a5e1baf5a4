use super::*;

async fn read_bytes(bytes: &[u8]) -> Result<Frame, FrameError> {
    read(&mut &*bytes, 1_000).await
}

#[tokio::test]
async fn what_is_written_is_read() {
    let mut pipe = Vec::new();
    write_event(&mut pipe, &Event::Done { rows: 3 }).unwrap();
    write_batch(&mut pipe, b"bytes").unwrap();
    let mut input = &*pipe;
    assert!(matches!(
        read(&mut input, 10).await,
        Ok(Frame::Event(Event::Done { rows: 3 }))
    ));
    assert!(matches!(read(&mut input, 10).await, Ok(Frame::Batch(body)) if body == b"bytes"));
    assert!(matches!(read(&mut input, 10).await, Err(FrameError::Ended)));
}

#[tokio::test]
async fn garbage_is_refused_before_memory_is_given_for_it() {
    let huge = [&[BATCH][..], &u32::MAX.to_le_bytes()].concat();
    assert!(matches!(read_bytes(&huge).await, Err(FrameError::Garbage)));
    let control = [&[CONTROL][..], &u32::MAX.to_le_bytes()].concat();
    assert!(matches!(
        read_bytes(&control).await,
        Err(FrameError::Garbage)
    ));
    assert!(matches!(
        read_bytes(b"HTTP/1.1 200 OK").await,
        Err(FrameError::Garbage)
    ));
    assert!(matches!(
        read_bytes(&[CONTROL, 2, 0, 0, 0, b'{', b'}']).await,
        Err(FrameError::Garbage)
    ));
    assert!(matches!(
        read_bytes(&[BATCH, 9, 0, 0, 0, 1]).await,
        Err(FrameError::Ended)
    ));
    assert!(matches!(read_bytes(&[BATCH]).await, Err(FrameError::Ended)));
}
