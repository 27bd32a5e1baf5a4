use lingqu_tlog::Intl;
use proptest::prelude::*;

use super::*;

fn sample() -> Forward {
    let grant = |name: &str| -> GrantId { name.parse().unwrap() };
    Forward {
        time: Timestamp(1_782_864_000_000_000),
        epoch: 7,
        stop: 2,
        grants: vec![
            GrantUse {
                grant: grant("grant_1"),
                environment: Environment::Prod,
                day: 20_000,
                of_day: 3,
                explained: 1,
                total: 90,
            },
            GrantUse {
                grant: grant("grant_1"),
                environment: Environment::Test,
                day: -1,
                of_day: 0,
                explained: 0,
                total: u64::MAX,
            },
        ],
        spaces: vec![
            SpaceSpent {
                space: "person".to_owned(),
                production: false,
                rho: MicroRho(5),
            },
            SpaceSpent {
                space: "person".to_owned(),
                production: true,
                rho: MicroRho(500),
            },
        ],
        budgets: vec![GrantSpent {
            grant: grant("grant_2"),
            production: true,
            rho: MicroRho(500),
        }],
        subjects: vec![SubjectAsked {
            tag: [3; 16],
            ends: Timestamp(1_782_950_400_000_000),
            grants: vec![(grant("grant_1"), 2), (grant("grant_2"), 1)],
        }],
        calls: vec![
            CallMade {
                key: Hash([9; 32]),
                tag: [1; 16],
            },
            CallMade {
                key: Hash([2; 32]),
                tag: [2; 16],
            },
        ],
    }
}

#[test]
fn it_is_read_as_it_was_written() {
    for forward in [sample(), Forward::default()] {
        let bytes = forward.encode();
        assert_eq!(Forward::decode(&bytes), Ok(forward));
    }
}

#[test]
fn every_altered_byte_is_refused_or_says_something_else() {
    let bytes = sample().encode();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << bit;
            if let Ok(read) = Forward::decode(&altered) {
                assert_eq!(read.encode(), altered, "byte {at}");
            }
        }
        assert_eq!(Forward::decode(&bytes[..at]), Err(ForwardMalformed));
    }
    let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
    assert_eq!(Forward::decode(&longer), Err(ForwardMalformed));
}

#[test]
fn a_balance_stands_there_once_and_in_its_place() {
    let refused = |change: fn(&mut Forward)| {
        let mut forward = sample();
        change(&mut forward);
        assert_eq!(Forward::decode(&forward.encode()), Err(ForwardMalformed));
    };
    refused(|forward| forward.grants.swap(0, 1));
    refused(|forward| forward.grants[1] = forward.grants[0].clone());
    refused(|forward| forward.spaces.swap(0, 1));
    refused(|forward| forward.spaces[0].space = "Person".to_owned());
    refused(|forward| forward.budgets.push(forward.budgets[0].clone()));
    refused(|forward| forward.subjects.push(forward.subjects[0].clone()));
    refused(|forward| forward.subjects[0].grants.swap(0, 1));
}

#[test]
fn parts_join_to_what_they_were_made_of() {
    let mut forward = sample();
    let call = forward.calls[0];
    forward.calls = vec![call; 3_000];
    let bytes = forward.encode();
    let parts: Vec<&[u8]> = Forward::parts(&bytes).collect();
    assert_eq!(parts.len(), 3);
    assert!(parts.iter().all(|part| part.len() <= PART_LEN_MAX));
    assert_eq!(Forward::decode(&parts.concat()), Ok(forward));
    let digest = Forward::digest::<Intl>(&bytes);
    assert_ne!(digest, Forward::digest::<Intl>(&sample().encode()));
}

proptest! {
    #[test]
    fn arbitrary_bytes_do_no_harm(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (at, byte) in MAGIC.iter().enumerate().take(bytes.len()) {
            bytes[at] = *byte;
        }
        if let Ok(read) = Forward::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}
