//! Every binary format: whatever is read is written back byte for byte, and nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lingqu_tlog::{Package, UploadHeader, decode_bundle, encode_bundle};

fuzz_target!(|data: &[u8]| {
    let Some((width, bundle)) = data.split_first() else {
        return;
    };
    if let Ok(entries) = decode_bundle(bundle, u64::from(*width)) {
        assert_eq!(encode_bundle(&entries).unwrap(), bundle);
    }
    let Some((header, mut rest)) = UploadHeader::parse(data) else {
        return;
    };
    assert_eq!([header.encode().unwrap().as_slice(), rest].concat(), data);
    for range in header.packages() {
        let Ok((package, after)) = Package::parse(rest, range) else {
            return;
        };
        assert_eq!([package.encode().unwrap().as_slice(), after].concat(), rest);
        rest = after;
    }
});
