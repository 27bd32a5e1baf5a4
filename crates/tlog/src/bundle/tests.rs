use proptest::prelude::*;

use super::*;

#[test]
fn the_largest_entry_fits_and_no_larger_one() {
    let largest = vec![7; MAX_ENTRY_BYTES];
    let bundle = encode_bundle(&[largest.as_slice(), b""]).unwrap();
    assert_eq!(bundle.len(), 2 + 65_535 + 2);
    assert_eq!(decode_bundle(&bundle, 2), Ok(vec![largest.as_slice(), b""]));
    let larger = vec![7; MAX_ENTRY_BYTES + 1];
    assert_eq!(encode_bundle(&[larger]), Err(EntryTooLarge));
}

#[test]
fn a_bundle_of_another_number_of_entries_is_refused() {
    let bundle = encode_bundle(&[b"one".as_slice(), b"two"]).unwrap();
    for width in [0, 1, 3, 256, u64::MAX] {
        assert_eq!(decode_bundle(&bundle, width), Err(BundleMalformed));
    }
    for len in 0..bundle.len() {
        assert_eq!(decode_bundle(&bundle[..len], 2), Err(BundleMalformed));
    }
    let longer = [bundle.as_slice(), &[0]].concat();
    assert_eq!(decode_bundle(&longer, 2), Err(BundleMalformed));
}

proptest! {
    #[test]
    fn a_bundle_reads_back(entries in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
        let bundle = encode_bundle(&entries).unwrap();
        let read = decode_bundle(&bundle, entries.len() as u64).unwrap();
        prop_assert_eq!(read, entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    #[test]
    fn whatever_is_read_is_written_so(bytes in any::<Vec<u8>>(), width in 0_u64..20) {
        if let Ok(entries) = decode_bundle(&bytes, width) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
        }
    }
}
