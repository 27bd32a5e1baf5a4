use super::*;

const TERMS: AuditTerms = AuditTerms::Mirrored { wait_ms_max: 1_000 };

fn policy(columns: &[(&str, Preset)]) -> Result<Policy, PolicyRefused> {
    Policy::new(
        columns
            .iter()
            .map(|(name, preset)| ((*name).to_owned(), preset.uses())),
        ["AUDIT".to_owned()],
        TERMS,
        600,
    )
}

#[test]
fn a_column_without_a_rule_is_forbidden() {
    let policy = policy(&[("tailnum", Preset::LinkOnly)]).unwrap();
    for wanted in Use::ALL {
        assert!(!policy.allows("seats", wanted));
    }
}

#[test]
fn a_preset_opens_exactly_its_uses() {
    let policy = policy(&[("model", Preset::VerifyOnly), ("tailnum", Preset::LinkOnly)]).unwrap();
    for wanted in Use::ALL {
        assert_eq!(
            policy.allows("model", wanted),
            wanted == Use::Verify,
            "{wanted:?}"
        );
        assert_eq!(
            policy.allows("tailnum", wanted),
            wanted == Use::Link,
            "{wanted:?}"
        );
    }
}

#[test]
fn only_public_shows_values() {
    for preset in [
        Preset::Dimension,
        Preset::Entity,
        Preset::FilterOnly,
        Preset::Forbidden,
        Preset::LinkOnly,
        Preset::Measure,
        Preset::ModelOnly,
        Preset::VerifyOnly,
    ] {
        assert!(!preset.uses().allows(Use::Show), "{preset:?}");
    }
}

#[test]
fn purposes_are_closed() {
    let policy = policy(&[("a", Preset::Measure)]).unwrap();
    assert!(policy.allows_purpose("AUDIT"));
    assert!(!policy.allows_purpose("MARKETING"));
    assert!(!policy.allows_purpose(""));
}

#[test]
fn every_word_names_its_use() {
    for wanted in Use::ALL {
        assert_eq!(wanted.as_str().parse::<Use>(), Ok(wanted));
    }
    assert!("anything".parse::<Use>().is_err());
}

#[test]
fn meet_is_intersection() {
    let left: UseSet = [Use::Group, Use::Filter].into_iter().collect();
    let right: UseSet = [Use::Filter, Use::Show].into_iter().collect();
    assert_eq!(left.meet(right), UseSet::FORBIDDEN.with(Use::Filter));
}

#[test]
fn what_would_be_unclear_or_unbounded_is_refused() {
    assert_eq!(
        policy(&[("a", Preset::Measure), ("a", Preset::Public)]),
        Err(PolicyRefused::ColumnTwice("a".into()))
    );
    assert_eq!(policy(&[]), Err(PolicyRefused::Size));
    assert_eq!(
        policy(&[("", Preset::Public)]),
        Err(PolicyRefused::NameEmpty)
    );
    for audit in [
        AuditTerms::Mirrored { wait_ms_max: 0 },
        AuditTerms::Mirrored {
            wait_ms_max: 60_001,
        },
        AuditTerms::Lagged {
            entries_max: 0,
            age_s_max: 1,
        },
        AuditTerms::Lagged {
            entries_max: 1,
            age_s_max: 0,
        },
        AuditTerms::Lagged {
            entries_max: 1_000_001,
            age_s_max: 1,
        },
    ] {
        let built = Policy::new([("a".to_owned(), UseSet::FORBIDDEN)], [], audit, 1);
        assert!(matches!(built, Err(PolicyRefused::Audit(_))), "{audit:?}");
    }
    let stale = Policy::new([("a".to_owned(), UseSet::FORBIDDEN)], [], TERMS, 0);
    assert_eq!(stale, Err(PolicyRefused::EpochAge));
}
