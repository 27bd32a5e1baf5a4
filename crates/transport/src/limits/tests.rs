use std::time::Duration;

use super::Limits;

type Change = fn(&mut Limits);

#[test]
fn the_defaults_are_within_bounds_and_each_number_has_two() {
    assert_eq!(Limits::default().check(), Ok(()));
    let wrong: [(&str, Change); 12] = [
        ("limits.connections_max", |l| l.connections_max = 0),
        ("limits.connections_max", |l| l.connections_max = usize::MAX),
        ("limits.connections_per_peer_max", |l| {
            l.connections_per_peer_max = 0;
        }),
        ("limits.connections_per_peer_max", |l| {
            l.connections_per_peer_max = 65_537;
        }),
        ("limits.strangers_max", |l| l.strangers_max = 0),
        ("limits.strangers_max", |l| l.strangers_max = 16_385),
        ("limits.strangers_per_address_max", |l| {
            l.strangers_per_address_max = 0;
        }),
        ("limits.strangers_per_address_max", |l| {
            l.strangers_per_address_max = 16_385;
        }),
        ("limits.hello_s", |l| l.hello_timeout = Duration::ZERO),
        ("limits.hello_s", |l| {
            l.hello_timeout = Duration::from_secs(301)
        }),
        ("limits.handshake_s", |l| {
            l.handshake_timeout = Duration::from_secs(301);
        }),
        ("limits.opening_s", |l| {
            l.opening_timeout = Duration::from_secs(301);
        }),
    ];
    for (key, change) in wrong {
        let mut limits = Limits::default();
        change(&mut limits);
        assert_eq!(limits.check(), Err(key));
    }
}
