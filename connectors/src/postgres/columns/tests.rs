use super::*;

#[test]
fn precision_and_scale_lie_in_the_modifier() {
    let modifier = |precision: i32, scale: i32| ((precision << 16) | (scale & 0x7ff)) + 4;
    let of = |precision, scale| numeric(modifier(precision, scale), None);
    assert_eq!(
        of(12, 2),
        Some(Kind::Numeric {
            precision: 12,
            scale: 2
        })
    );
    assert_eq!(
        of(38, 38),
        Some(Kind::Numeric {
            precision: 38,
            scale: 38
        })
    );
    assert_eq!(
        of(38, 0),
        Some(Kind::Numeric {
            precision: 38,
            scale: 0
        })
    );
    // More digits than 128 bits hold, scales below 0 and above the precision.
    assert_eq!([of(39, 2), of(1_000, 2), of(5, -2), of(3, 5)], [None; 4]);
    assert_eq!(numeric(-1, None), None);
    let declared = Kind::Numeric {
        precision: 18,
        scale: 2,
    };
    assert_eq!(numeric(-1, Some(&(18, 2))), Some(declared));
    // What the table declares counts, not what the settings say.
    assert_eq!(numeric(modifier(12, 2), Some(&(18, 3))), of(12, 2));
}

#[test]
fn types_that_are_not_listed_are_not_read() {
    for other in [
        Type::INTERVAL,
        Type::TIMETZ,
        Type::INET,
        Type::TEXT_ARRAY,
        Type::OID,
        Type::XML,
        Type::MONEY,
    ] {
        assert_eq!(kind(other.oid(), "b", -1, None), None, "{other}");
    }
    assert_eq!(kind(99_999, "e", -1, None), Some(Kind::Enum));
    assert_eq!(kind(99_999, "c", -1, None), None);
}
