use std::os::unix::fs::PermissionsExt as _;

use super::*;

const LOG: LogId = LogId([3; 16]);

#[test]
fn a_file_opens_in_its_place_and_nowhere_else() {
    let keys = StateKeys::generate();
    let sealed = keys.seal_file("stops/1.env", b"an order");
    assert!(is_sealed_file(&sealed));
    assert_eq!(
        keys.open_file("stops/1.env", &sealed),
        Ok(b"an order".to_vec())
    );
    assert_eq!(keys.open_file("stops/2.env", &sealed), Err(Unsealable));
    let strangers = StateKeys::generate();
    assert_eq!(strangers.open_file("stops/1.env", &sealed), Err(Unsealable));
    assert!(!sealed.windows(8).any(|part| part == b"an order"));
}

#[test]
fn no_bit_of_a_sealed_file_or_frame_can_be_changed_or_cut_off() {
    let keys = StateKeys::generate();
    let file = keys.seal_file("x", b"content");
    let mut frame = Vec::new();
    FrameSealer::new(&keys, LOG).seal(7, b"content", &mut frame);
    for (sealed, open) in [
        (
            &file,
            (|keys: &StateKeys, bytes: &[u8]| keys.open_file("x", bytes)) as fn(&_, &_) -> _,
        ),
        (&frame, |keys, bytes| open_frame(keys, LOG, 7, bytes)),
    ] {
        assert_eq!(open(&keys, sealed), Ok(b"content".to_vec()));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&keys, &changed), Err(Unsealable), "byte {at}");
            assert_eq!(open(&keys, &sealed[..at]), Err(Unsealable), "{at} bytes");
        }
    }
}

#[test]
fn a_frame_opens_as_its_number_of_its_log_only() {
    let keys = StateKeys::generate();
    let mut sealed = Vec::new();
    FrameSealer::new(&keys, LOG).seal(7, b"payload", &mut sealed);
    assert_eq!(sealed.len(), b"payload".len() + FRAME_OVERHEAD);
    assert_eq!(open_frame(&keys, LOG, 7, &sealed), Ok(b"payload".to_vec()));
    assert_eq!(open_frame(&keys, LOG, 8, &sealed), Err(Unsealable));
    assert_eq!(
        open_frame(&keys, LogId([4; 16]), 7, &sealed),
        Err(Unsealable)
    );
}

#[test]
fn the_same_number_under_two_openings_shares_no_key_stream() {
    // A torn frame's number is written again after the restart, with another content: were it the same key stream, the
    // exclusive-or of the two would be that of the contents.
    let keys = StateKeys::generate();
    let (mut torn, mut again) = (Vec::new(), Vec::new());
    FrameSealer::new(&keys, LOG).seal(7, &[0; 64], &mut torn);
    FrameSealer::new(&keys, LOG).seal(7, &[0; 64], &mut again);
    assert_ne!(torn[36..], again[36..]);
    let files = [(); 2].map(|()| keys.seal_file("x", &[0; 64]));
    assert_ne!(files[0][40..], files[1][40..]);
}

#[test]
fn a_rotation_keeps_what_was_sealed_and_seals_with_a_new_key() {
    let before = StateKeys::generate();
    let old = before.seal_file("x", b"old");
    let after = before.rotated().unwrap();
    let new = after.seal_file("x", b"new");
    assert_eq!(
        (before.newest_generation(), after.newest_generation()),
        (1, 2)
    );
    assert_eq!(after.open_file("x", &old), Ok(b"old".to_vec()));
    assert_eq!(after.open_file("x", &new), Ok(b"new".to_vec()));
    assert_eq!(before.open_file("x", &new), Err(Unsealable));
}

#[test]
fn wrapped_keys_open_with_their_outer_key_only_and_not_in_part() {
    let (outer, other) = (StateKey::generate(), StateKey::generate());
    let keys = StateKeys::generate().rotated().unwrap().rotated().unwrap();
    let sealed = keys.seal_file("x", b"content");
    let wrapped = keys.wrap(&outer);
    let back = StateKeys::unwrap_with(&wrapped, &outer).unwrap();
    assert_eq!(back.open_file("x", &sealed), Ok(b"content".to_vec()));
    let refused = |bytes: &[u8], outer| StateKeys::unwrap_with(bytes, outer).unwrap_err();
    assert_eq!(refused(&wrapped, &other), StateKeysRefused::Key);
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 1;
        assert!(
            StateKeys::unwrap_with(&changed, &outer).is_err(),
            "byte {at}"
        );
        assert!(
            StateKeys::unwrap_with(&wrapped[..at], &outer).is_err(),
            "{at} bytes"
        );
    }
    // The newest generation left out, with a count that fits what is left.
    let mut fewer = wrapped[..wrapped.len() - 64].to_vec();
    fewer[11] = 2;
    assert_eq!(refused(&fewer, &outer), StateKeysRefused::Key);
}

#[test]
fn a_key_file_is_read_strictly_and_only_if_nobody_else_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.key");
    let key = StateKey::generate();
    std::fs::write(&path, key.to_text().as_bytes()).unwrap();
    let mode =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    assert!(matches!(
        StateKey::read(&path),
        Err(StateKeyUnreadable::Exposed(_))
    ));
    mode(0o600);
    let wrapped = StateKeys::generate().wrap(&key);
    let read = StateKey::read(&path).unwrap();
    assert!(StateKeys::unwrap_with(&wrapped, &read).is_ok());
    let text = key.to_text();
    for bad in [
        "",
        "zz",
        &text[..63],
        &format!("{}00", &text[..64]),
        &format!(" {}", &text[..63]),
    ] {
        assert!(
            matches!(StateKey::parse(bad), Err(StateKeyUnreadable::Form)),
            "{}",
            bad.len()
        );
    }
    std::fs::write(&path, "0".repeat(1_000)).unwrap();
    assert!(matches!(
        StateKey::read(&path),
        Err(StateKeyUnreadable::Form)
    ));
    assert_eq!(format!("{read:?}"), "StateKey");
    let keys = StateKeys::generate().rotated().unwrap();
    assert_eq!(format!("{keys:?}"), "StateKeys[1, 2]");
}
