use proptest::prelude::*;

use super::*;

#[test]
fn a_number_of_rho_is_read_exactly_or_not_at_all() {
    for (text, micros) in [
        ("0", 0),
        ("0.000001", 1),
        ("0.05", 50_000),
        ("2.5", 2_500_000),
        ("1000", 1_000_000_000),
        ("18446744073709.551615", u64::MAX),
    ] {
        assert_eq!(text.parse(), Ok(MicroRho(micros)), "{text}");
    }
    for text in [
        "",
        ".",
        "1.",
        ".5",
        "-1",
        "+1",
        "1e3",
        "0.0000001",
        "1,5",
        " 1",
        "１",
        "NaN",
        "18446744073709.551616",
        "99999999999999999999",
    ] {
        assert_eq!(text.parse::<MicroRho>(), Err(MicroRhoMalformed), "{text}");
    }
}

#[test]
fn a_sum_that_cannot_be_counted_never_fits() {
    let most = MicroRho(u64::MAX);
    assert!(!most.has_room(most, MicroRho(1)));
    assert!(most.has_room(most, MicroRho::ZERO));
    assert_eq!(most.checked_add(MicroRho(1)), None);
    assert_eq!(MicroRho(3).left_after(MicroRho(5)), MicroRho::ZERO);
}

#[test]
fn a_budget_is_bounded_on_both_sides() {
    for (rho, exponent, field) in [
        (0, 9, "rho_total"),
        (1_000_000_001, 9, "rho_total"),
        (1, 4, "delta_exponent"),
        (1, 19, "delta_exponent"),
    ] {
        let refused = DpBudget::new(MicroRho(rho), exponent).unwrap_err();
        assert_eq!(refused.field, field);
    }
    let refused = DpBudget::new(MicroRho(0), 9).unwrap_err().to_string();
    assert_eq!(refused, "`rho_total` must be between 0.000001 and 1000");
}

#[test]
fn epsilon_is_that_of_the_proposition() {
    let budget = DpBudget::new(MicroRho(MICROS / 2), 9).unwrap();
    // 0.5 + 2·√(0.5·ln 10⁹) = 0.5 + 2·√10.3616…
    assert!((budget.epsilon() - 6.937_89).abs() < 1e-4);
    assert!((budget.delta() - 1e-9).abs() < 1e-20);
}

proptest! {
    #[test]
    fn text_and_number_are_one(micros in any::<u64>()) {
        prop_assert_eq!(MicroRho(micros).to_string().parse(), Ok(MicroRho(micros)));
    }

    #[test]
    fn the_strictest_of_two_is_a_meet(
        a in (1..=9_u64, 5..=18_u8),
        b in (1..=9_u64, 5..=18_u8),
        c in (1..=9_u64, 5..=18_u8),
    ) {
        let [a, b, c] = [a, b, c].map(|(rho, exponent)| DpBudget::new(MicroRho(rho), exponent).unwrap());
        prop_assert_eq!(a.meet(b), b.meet(a));
        prop_assert_eq!(a.meet(b).meet(c), a.meet(b.meet(c)));
        prop_assert_eq!(a.meet(a), a);
        prop_assert!(a.meet(b).rho_total() <= a.rho_total());
        prop_assert!(a.meet(b).delta_exponent() >= a.delta_exponent());
    }
}
