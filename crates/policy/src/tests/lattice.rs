//! Policies compose to the strictest: the laws of a meet, for every part and for the whole.

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

use crate::*;

fn uses() -> impl Strategy<Value = UseSet> {
    proptest::sample::subsequence(Use::ALL.to_vec(), 0..=8)
        .prop_map(|uses| uses.into_iter().collect())
}

fn releases() -> impl Strategy<Value = Release> {
    let functions = proptest::sample::subsequence(Function::ALL.to_vec(), 0..=4);
    let shares = (1..=90_u8, 1..=90_u8, 50..=100_u8, 0..=50_u8);
    let numbers = (10..=1_000_000_u32, 1..=1_000_000_u32, 1..=65_536_u32);
    (numbers, shares, functions).prop_map(
        |((group_min, round_to, groups_max), (dominance, p, same, withheld), functions)| {
            Release::new(group_min, dominance, round_to, groups_max)
                .and_then(|terms| terms.with_p_percent(p))
                .and_then(|terms| terms.with_homogeneity_percent_max(same))
                .and_then(|terms| terms.with_withheld_percent_max(withheld))
                .unwrap()
                .with_functions(functions.into_iter().collect())
        },
    )
}

fn audits() -> impl Strategy<Value = AuditTerms> {
    prop_oneof![
        (1..=60_000_u32).prop_map(|wait_ms_max| AuditTerms::Mirrored { wait_ms_max }),
        (1..=60_000_u32).prop_map(|wait_ms_max| AuditTerms::Witnessed { wait_ms_max }),
        (1..=1_000_000_u64, 1..=86_400_u32).prop_map(|(entries_max, age_s_max)| {
            AuditTerms::Lagged {
                entries_max,
                age_s_max,
            }
        }),
    ]
}

/// Policies over few columns, so that two of them meet.
fn policies() -> impl Strategy<Value = Policy> {
    let column = (uses(), 0..4_u8, 0..3_u8, any::<bool>());
    let columns = btree_map("[abc]", column, 1..=3);
    let purposes = btree_set("[XYZ]", 0..=3);
    let terms = proptest::option::of(releases());
    let bodies = proptest::option::of(6..=120_u16);
    let budget = proptest::option::of((1..=9_u64, 5..=18_u8));
    let limit = proptest::option::of((1..=9_u32, 1..=9_u32, 1..=744_u16));
    let optional = (terms, bodies, budget, limit);
    (columns, purposes, audits(), 1..=604_800_u32, optional).prop_map(
        |(columns, purposes, audit, age, (terms, bodies, budget, limit))| {
            let rules = columns
                .iter()
                .map(|(name, (uses, ..))| (name.clone(), *uses));
            let mut policy = Policy::new(rules, purposes, audit, age).unwrap();
            for (name, (uses, domain, space, sensitive)) in &columns {
                if *domain > 0 {
                    let domain = Domain::integers((0..i64::from(*domain)).collect()).unwrap();
                    policy = policy.with_domain(name, domain).unwrap();
                }
                if *space > 0 && uses.allows(Use::Entity) {
                    policy = policy.with_space(name, &format!("space{space}")).unwrap();
                }
                if *sensitive {
                    policy = policy.with_sensitive(name).unwrap();
                }
            }
            if let Some((calls, of_grant, hours)) = limit {
                let limit = SubjectLimit::new(calls.max(of_grant), hours).unwrap();
                policy = policy.with_subject_limit(limit.with_grant_calls_max(of_grant).unwrap());
            }
            if let Some((rho, exponent)) = budget {
                policy = policy.with_dp(DpBudget::new(MicroRho(rho), exponent).unwrap());
            }
            if let Some(months) = bodies {
                policy = policy.with_bodies(BodyTerms::new(months).unwrap());
            }
            match terms {
                Some(terms) => policy.with_release(terms),
                None => policy,
            }
        },
    )
}

fn meet(one: &Option<Policy>, two: &Option<Policy>) -> Option<Policy> {
    one.as_ref()?.meet(two.as_ref()?)
}

proptest! {
    #[test]
    fn the_order_does_not_matter(a in policies(), b in policies(), c in policies()) {
        let [a, b, c] = [a, b, c].map(Some);
        prop_assert_eq!(meet(&a, &b), meet(&b, &a));
        prop_assert_eq!(meet(&meet(&a, &b), &c), meet(&a, &meet(&b, &c)));
        prop_assert_eq!(meet(&a, &a), a);
    }

    #[test]
    fn terms_are_a_meet(a in releases(), b in releases(), c in releases()) {
        prop_assert_eq!(a.meet(b), b.meet(a));
        prop_assert_eq!(a.meet(b).meet(c), a.meet(b.meet(c)));
        prop_assert_eq!(a.meet(a), a);
        prop_assert_eq!(a.meet(b).meet(a), a.meet(b));
        prop_assert!(a.meet(b).group_min() >= a.group_min());
        prop_assert!(a.meet(b).round_to() >= a.round_to());
        prop_assert!(a.meet(b).dominance_percent_max() <= a.dominance_percent_max());
        prop_assert!(a.meet(b).p_percent() >= a.p_percent());
    }

    #[test]
    fn the_meet_allows_what_both_allow_and_nothing_else(a in policies(), b in policies()) {
        let both = a.meet(&b);
        for column in ["a", "b", "c", "d"] {
            for wanted in Use::ALL {
                let allowed = a.allows(column, wanted) && b.allows(column, wanted);
                let found = both.as_ref().is_some_and(|both| both.allows(column, wanted));
                prop_assert_eq!(found, allowed);
            }
        }
        for purpose in ["X", "Y", "Z"] {
            let allowed = a.allows_purpose(purpose) && b.allows_purpose(purpose);
            if let Some(both) = &both {
                prop_assert_eq!(both.allows_purpose(purpose), allowed);
            }
        }
        if let Some(both) = &both {
            prop_assert!(both.epoch_age_max_s() <= a.epoch_age_max_s());
            prop_assert!(a.release().is_some() || both.release().is_none());
            prop_assert_eq!(both.dp().is_some(), a.dp().is_some() && b.dp().is_some());
        }
    }
}
