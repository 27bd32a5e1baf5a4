use super::*;

#[test]
fn an_id_tells_its_kind() {
    assert!("party_gx.tb".parse::<PartyId>().is_ok());
    for wrong in [
        "grant_gx.tb",
        "party_",
        "party_A",
        "party_a/b",
        "party_a b",
        "party_.a",
        "party_a.",
        "gx",
        "",
    ] {
        assert!(wrong.parse::<PartyId>().is_err(), "{wrong}");
    }
    assert!(
        format!("party_{}", "a".repeat(64))
            .parse::<PartyId>()
            .is_ok()
    );
    assert!(
        format!("party_{}", "a".repeat(65))
            .parse::<PartyId>()
            .is_err()
    );
}

#[test]
fn a_product_has_two_names() {
    assert!("tb.plane_registered".parse::<ProductId>().is_ok());
    for wrong in [
        "tb", "tb.", ".x", "tb.a.b", "tb.A", "1b.a", "tb.a-b", "tb.a b",
    ] {
        assert!(wrong.parse::<ProductId>().is_err(), "{wrong}");
    }
}

#[test]
fn call_ids_round_trip_and_zero_is_nobody() {
    let id = CallId([7; 16]);
    assert_eq!(id.to_string().parse::<CallId>(), Ok(id));
    assert!(CallId::try_from(&[0u8; 16][..]).is_err());
    assert!(CallId::try_from(&[1u8; 15][..]).is_err());
}

#[test]
fn a_prefix_stops_at_a_separator() {
    let below = "party_gx.".parse::<IdPrefix>().unwrap();
    assert!(below.covers("party_gx.tb"));
    assert!(!below.covers("party_gxevil"));
    let one = "party_gx".parse::<IdPrefix>().unwrap();
    assert!(one.covers("party_gx"));
    assert!(!one.covers("party_gxevil") && !one.covers("party_gx.tb"));
    assert!("gx.".parse::<IdPrefix>().is_err());
}
