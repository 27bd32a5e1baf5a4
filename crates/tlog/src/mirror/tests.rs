use proptest::prelude::*;

use super::*;
use crate::oracle::{entry, leaves, mth};
use crate::subtree::plan;
use crate::suite::Intl;

fn header(start: u64, end: u64) -> UploadHeader {
    UploadHeader {
        origin: "log.example/s".to_owned(),
        start,
        end,
        ticket: b"ticket".to_vec(),
    }
}

/// The package that an honest client sends.
fn package(range: PackageRange, leaves: &[Hash]) -> Package {
    let proof = plan(range.subtree(), leaves.len() as u64);
    Package {
        entries: (range.first..range.end).map(entry).collect(),
        proof: proof
            .into_iter()
            .map(|range| mth(&leaves[range.start() as usize..range.end() as usize]))
            .collect(),
    }
}

fn before(range: PackageRange, leaves: &[Hash]) -> &[Hash] {
    &leaves[range.aligned as usize..range.first as usize]
}

#[test]
fn packages_are_aligned_at_256() {
    let ranges = |start, end| -> Vec<(u64, u64)> {
        let ranges = header(start, end).packages().collect::<Vec<_>>();
        ranges
            .iter()
            .map(|range| (range.first(), range.end()))
            .collect()
    };
    assert_eq!(ranges(0, 0), []);
    assert_eq!(ranges(5, 5), []);
    assert_eq!(ranges(0, 1), [(0, 1)]);
    assert_eq!(ranges(10, 300), [(10, 256), (256, 300)]);
    assert_eq!(ranges(256, 512), [(256, 512)]);
    assert_eq!(ranges(255, 513), [(255, 256), (256, 512), (512, 513)]);
    let last = MAX_TREE_SIZE - 1;
    assert_eq!(ranges(last, MAX_TREE_SIZE), [(last, MAX_TREE_SIZE)]);
}

#[test]
fn a_whole_upload_is_read_and_verified_package_by_package() {
    let leaves = leaves(700);
    let root = mth(&leaves);
    let header = header(100, 700);
    let mut bytes = header.encode().unwrap();
    for range in header.packages() {
        bytes.extend(package(range, &leaves).encode().unwrap());
    }
    let (read, mut rest) = UploadHeader::parse(&bytes).unwrap();
    assert_eq!(read, header);
    for range in read.packages() {
        let (package, after) = Package::parse(rest, range).unwrap();
        let verified = package.verify::<Intl>(range, before(range, &leaves), 700, root);
        let (first, end) = (range.first as usize, range.end as usize);
        assert_eq!(verified.unwrap(), leaves[first..end]);
        rest = after;
    }
    assert!(rest.is_empty());
}

#[test]
fn an_altered_package_is_refused() {
    let leaves = leaves(700);
    let root = mth(&leaves);
    for range in header(100, 700).packages() {
        let honest = package(range, &leaves);
        let known = before(range, &leaves);
        let check = |package: &Package, known: &[Hash], size, root| {
            package.verify::<Intl>(range, known, size, root).is_ok()
        };
        assert!(check(&honest, known, 700, root));
        let mut altered = honest.clone();
        altered.entries[3].push(0);
        assert!(!check(&altered, known, 700, root));
        let mut fewer = honest.clone();
        fewer.entries.pop();
        assert!(!check(&fewer, known, 700, root));
        let mut swapped = honest.clone();
        swapped.entries.swap(0, 1);
        assert!(!check(&swapped, known, 700, root));
        assert!(!check(&honest, known, 700, mth(&leaves[..699])));
        assert!(!check(&honest, &[known, &[root]].concat(), 700, root));
        let bytes = honest.encode().unwrap();
        assert_eq!(
            Package::parse(&bytes[..bytes.len() - 1], range),
            Err(PackageIncomplete)
        );
    }
}

#[test]
fn what_says_more_than_the_limits_is_refused() {
    let mut bytes = header(0, 1).encode().unwrap();
    let range = header(0, 1).packages().next().unwrap();
    assert!(Package::parse(&[0, 0, 64], range).is_err());
    assert!(Package::parse(&[0, 0, 63], range).is_err());
    assert!(Package::parse(&[0, 0, 0], range).is_ok());
    let proof = vec![Hash([0; 32]); 64];
    assert!(
        Package {
            entries: Vec::new(),
            proof
        }
        .encode()
        .is_err()
    );
    // The start lies behind the origin; one that is after the end means nothing.
    bytes[2 + 13] = 0x7f;
    assert_eq!(UploadHeader::parse(&bytes), None);
    let long = UploadHeader {
        ticket: vec![0; 1025],
        ..header(0, 1)
    };
    assert!(long.encode().is_err());
    assert_eq!(UploadHeader::parse(&[0; 40]), None);
}

#[test]
fn where_to_go_on_reads_back() {
    let info = MirrorInfo {
        size: 700,
        next: 256,
        ticket: b"t".to_vec(),
    };
    assert_eq!(info.to_text(), "700\n256\ndA==\n");
    assert_eq!(MirrorInfo::parse(&info.to_text()), Some(info));
    let empty = MirrorInfo {
        size: 0,
        next: 0,
        ticket: Vec::new(),
    };
    assert_eq!(empty.to_text(), "0\n0\n\n");
    assert_eq!(MirrorInfo::parse("0\n0\n\n"), Some(empty));
    for text in [
        "",
        "0\n0\n",
        "0\n0\n\n\n",
        "00\n0\n\n",
        "0\n-1\n\n",
        "0\n0\ndA=\n",
        "0\n0\n \n",
        "9223372036854775808\n0\n\n",
    ] {
        assert_eq!(MirrorInfo::parse(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_so(bytes in any::<Vec<u8>>()) {
        if let Some((header, rest)) = UploadHeader::parse(&bytes) {
            prop_assert_eq!([header.encode().unwrap().as_slice(), rest].concat(), bytes.clone());
        }
        let range = header(0, 3).packages().next().unwrap();
        if let Ok((package, rest)) = Package::parse(&bytes, range) {
            prop_assert_eq!([package.encode().unwrap().as_slice(), rest].concat(), bytes);
        }
    }
}
