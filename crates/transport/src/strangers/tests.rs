use std::net::SocketAddr;

use super::{Place, Source, Strangers};
use crate::connection::{Connections, StrangerEnd};
use crate::limits::Limits;

fn strangers(max: usize, per_address: usize) -> (Strangers, Connections) {
    let connections = Connections::new();
    let limits = Limits {
        strangers_max: max,
        strangers_per_address_max: per_address,
        ..Limits::default()
    };
    (Strangers::new(&limits, connections.clone()), connections)
}

fn from(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn stays(place: &Place) -> bool {
    !place.given_up.is_cancelled()
}

#[test]
fn an_address_beyond_its_share_loses_its_own_oldest_silent_connection() {
    let (strangers, connections) = strangers(10, 3);
    let other = strangers.enter(from("192.0.2.2:1"));
    let first = strangers.enter(from("192.0.2.1:1"));
    let second = strangers.enter(from("192.0.2.1:2"));
    let third = strangers.enter(from("192.0.2.1:3"));
    first.greeted();
    let fourth = strangers.enter(from("192.0.2.1:4"));
    assert!(stays(&first), "it has spoken, others have not");
    assert!(!stays(&second));
    assert!(stays(&third) && stays(&fourth) && stays(&other));
    third.greeted();
    fourth.greeted();
    let fifth = strangers.enter(from("192.0.2.1:5"));
    assert!(
        !stays(&first),
        "where all have spoken, the oldest gives way"
    );
    assert!(stays(&third) && stays(&fourth) && stays(&fifth) && stays(&other));
    assert_eq!(connections.stranger_ends(StrangerEnd::AddressShare), 2);
    assert_eq!(connections.stranger_ends(StrangerEnd::AllPlaces), 0);
}

#[test]
fn when_all_places_are_taken_the_address_with_most_of_them_gives_one() {
    let (strangers, connections) = strangers(6, 4);
    let lone = strangers.enter(from("192.0.2.9:1"));
    let many: Vec<_> = (1..=4)
        .map(|port| strangers.enter(SocketAddr::from(([192, 0, 2, 1], port))))
        .collect();
    let sixth = strangers.enter(from("192.0.2.2:1"));
    let newcomer = strangers.enter(from("192.0.2.3:1"));
    assert!(
        stays(&lone),
        "the oldest of all, but the only one of its address"
    );
    assert!(stays(&sixth) && stays(&newcomer));
    let left: Vec<_> = many.iter().map(stays).collect();
    assert_eq!(left, [false, true, true, true]);
    assert_eq!(connections.stranger_ends(StrangerEnd::AllPlaces), 1);
}

#[test]
fn places_are_counted_and_free_again() {
    let (strangers, connections) = strangers(2, 2);
    for port in 1..=100 {
        let first = strangers.enter(SocketAddr::from(([192, 0, 2, 1], port)));
        let second = strangers.enter(from("192.0.2.2:1"));
        assert!(stays(&first) && stays(&second));
        assert_eq!(connections.strangers(), 2);
    }
    assert_eq!(connections.strangers(), 0);
    let table = strangers.table();
    assert!(table.waiting.is_empty() && table.shares.is_empty());
}

#[test]
fn one_that_gave_way_takes_no_place_when_it_ends() {
    let (strangers, connections) = strangers(1, 1);
    let first = strangers.enter(from("192.0.2.1:1"));
    let second = strangers.enter(from("192.0.2.2:1"));
    assert!(!stays(&first));
    // It says something after its place went to another.
    first.greeted();
    drop(first);
    assert!(stays(&second));
    assert_eq!(strangers.table().waiting.len(), 1);
    assert_eq!(connections.strangers(), 1);
}

#[test]
fn one_network_of_ipv6_is_one_address_and_a_mapped_ipv4_address_is_itself() {
    let source = |text| Source::from(from(text));
    assert_eq!(source("[2001:db8::1]:1"), source("[2001:db8::ffff:2]:9"));
    assert_ne!(source("[2001:db8::1]:1"), source("[2001:db8:0:1::1]:1"));
    assert_eq!(source("[::ffff:192.0.2.1]:1"), source("192.0.2.1:2"));
    assert_ne!(source("[::ffff:192.0.2.1]:1"), source("192.0.2.2:2"));
}
