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
    for preset in Preset::ALL {
        let shows = preset.uses().allows(Use::Show);
        assert_eq!(shows, preset == Preset::Public, "{preset:?}");
        assert_eq!(preset.as_str().parse(), Ok(preset));
    }
    assert!("secret".parse::<Preset>().is_err());
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
        AuditTerms::Witnessed { wait_ms_max: 0 },
        AuditTerms::Witnessed {
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

#[test]
fn a_day_is_read_as_it_is_written() {
    for (text, days) in [
        ("1970-01-01", 0),
        ("1969-12-31", -1),
        ("2000-02-29", 11_016),
        ("2013-01-01", 15_706),
        ("0001-01-01", -719_162),
        ("9999-12-31", 2_932_896),
    ] {
        let day: Day = text.parse().unwrap();
        assert_eq!(day.days(), days, "{text}");
        assert_eq!(day.to_string(), text);
        assert_eq!(Day::from_days(days), Some(day));
    }
    for text in [
        "",
        "2013-1-01",
        "2013-02-30",
        "2013-13-01",
        "2013-00-10",
        "2013-01-00",
        "1900-02-29",
        "0000-01-01",
        "+201-01-01",
        "2013/01/01",
        "2013-01-01 ",
        "２013-01-1",
    ] {
        assert_eq!(text.parse::<Day>(), Err(DayMalformed), "{text}");
    }
    assert_eq!(Day::from_days(i32::MAX), None);
    assert_eq!(Day::from_days(i32::MIN), None);
}

#[test]
fn every_day_survives_a_round_trip() {
    for days in (-719_162..=2_932_896).step_by(13) {
        let day = Day::from_days(days).unwrap();
        assert_eq!(day.to_string().parse(), Ok(day));
    }
}

#[test]
fn a_domain_is_sorted_without_repetition_and_bounded() {
    let text = |values: &[&str]| Domain::texts(values.iter().map(|v| (*v).to_owned()).collect());
    assert_eq!(text(&["a", "b"]).unwrap().cells(), 2);
    assert_eq!(text(&["b", "a"]), Err(DomainRefused::Order));
    assert_eq!(text(&["a", "a"]), Err(DomainRefused::Order));
    assert_eq!(text(&[]), Err(DomainRefused::Size));
    assert_eq!(text(&[""]), Err(DomainRefused::Text));
    assert_eq!(text(&["a\n"]), Err(DomainRefused::Text));
    assert_eq!(text(&["x".repeat(257).as_str()]), Err(DomainRefused::Text));
    assert_eq!(
        Domain::integers((0..1_025).collect()),
        Err(DomainRefused::Size)
    );
    assert_eq!(Domain::integer_bins(vec![1]), Err(DomainRefused::Size));
    assert_eq!(Domain::integer_bins(vec![1, 5, 9]).unwrap().cells(), 2);
    let day = |text: &str| text.parse::<Day>().unwrap();
    assert_eq!(
        Domain::date_bins(vec![day("2013-02-01"), day("2013-01-01")]),
        Err(DomainRefused::Order)
    );
    for (min, max) in [(1, 1), (2, 1), (0, BOUND_MAX + 1), (i64::MIN, 0)] {
        assert_eq!(Domain::bounds(min, max), Err(DomainRefused::Bounds));
    }
    assert_eq!(Domain::bounds(-BOUND_MAX, BOUND_MAX).unwrap().cells(), 0);
}

#[test]
fn nobody_can_agree_on_a_group_below_ten() {
    assert!(Release::new(10, 50, 1, 1).is_ok());
    for (group_min, dominance, round_to, groups_max, field) in [
        (9, 50, 1, 1, "group_min"),
        (0, 50, 1, 1, "group_min"),
        (1_000_001, 50, 1, 1, "group_min"),
        (10, 0, 1, 1, "dominance_percent_max"),
        (10, 91, 1, 1, "dominance_percent_max"),
        (10, 50, 0, 1, "round_to"),
        (10, 50, 1, 0, "groups_max"),
        (10, 50, 1, 65_537, "groups_max"),
    ] {
        let refused = Release::new(group_min, dominance, round_to, groups_max).unwrap_err();
        assert_eq!(refused.field, field);
    }
}

#[test]
fn a_domain_needs_a_rule_and_stands_once() {
    let open = || policy(&[("region", Preset::Dimension), ("id", Preset::Entity)]).unwrap();
    let domain = Domain::integers(vec![1]).unwrap();
    let refused = |column: &str| Err(PolicyRefused::Domain(column.to_owned()));
    assert_eq!(
        open().with_domain("other", domain.clone()),
        refused("other")
    );
    let once = open().with_domain("region", domain.clone()).unwrap();
    assert_eq!(once.domain("region"), Some(&domain));
    assert_eq!(once.with_domain("region", domain), refused("region"));
    assert_eq!(open().entities().collect::<Vec<_>>(), ["id"]);
    assert_eq!(open().release(), None);
}

#[test]
fn a_public_column_is_no_entity() {
    let open = policy(&[("name", Preset::Public)]).unwrap();
    assert_eq!(open.entities().count(), 0);
}

mod lattice;

#[test]
fn terms_beyond_the_usual_are_bounded() {
    let terms = Release::new(10, 50, 1, 1).unwrap();
    assert!(terms.with_p_percent(0).is_err());
    assert!(terms.with_p_percent(91).is_err());
    assert!(terms.with_homogeneity_percent_max(49).is_err());
    assert!(terms.with_homogeneity_percent_max(101).is_err());
    assert!(terms.with_withheld_percent_max(51).is_err());
    assert_eq!(terms.functions(), Functions::ALL);
    for wanted in Function::ALL {
        assert_eq!(wanted.as_str().parse::<Function>(), Ok(wanted));
        assert!(
            !terms
                .with_functions(Functions::NONE)
                .functions()
                .allows(wanted)
        );
    }
    assert!("median".parse::<Function>().is_err());
}

#[test]
fn an_id_space_belongs_to_an_entity() {
    let open = || policy(&[("id", Preset::Entity), ("region", Preset::Dimension)]).unwrap();
    let named = open().with_space("id", "person").unwrap();
    assert_eq!(named.space("id"), Some("person"));
    assert_eq!(open().space("id"), None);
    for (column, space) in [
        ("region", "person"),
        ("id", ""),
        ("id", "Person"),
        ("x", "person"),
    ] {
        let refused = Err(PolicyRefused::Space(column.to_owned()));
        assert_eq!(open().with_space(column, space), refused);
    }
    assert!(named.with_space("id", "person").is_err());
    assert!(open().with_sensitive("other").is_err());
    assert!(
        open()
            .with_sensitive("region")
            .unwrap()
            .is_sensitive("region")
    );
}

/// longer than six months is allowed, shorter is not; and keeping is a duty that no other policy takes away.
#[test]
fn bodies_are_kept_for_six_months_or_longer() {
    for months in [0, 5, 121, u16::MAX] {
        assert_eq!(BodyTerms::new(months), Err(crate::BodyTermsRefused));
    }
    let plain = Policy::new([("a".to_owned(), UseSet::FORBIDDEN)], [], TERMS, 1).unwrap();
    assert_eq!(plain.bodies(), None);
    let keeping = |months| plain.clone().with_bodies(BodyTerms::new(months).unwrap());
    let (short, long) = (keeping(6), keeping(36));
    for (one, two, months) in [
        (&plain, &plain, None),
        (&plain, &short, Some(6)),
        (&short, &plain, Some(6)),
        (&short, &long, Some(36)),
        (&long, &short, Some(36)),
    ] {
        let both = one.meet(two).unwrap();
        assert_eq!(both.bodies().map(BodyTerms::keep_months), months);
    }
}

#[test]
fn a_subject_limit_has_bounds_and_the_stricter_one_holds() {
    for (calls, hours) in [(0, 1), (1, 0), (1_000_001, 1), (1, 745)] {
        assert!(SubjectLimit::new(calls, hours).is_err(), "{calls} {hours}");
    }
    let limit = |calls, hours| SubjectLimit::new(calls, hours).unwrap();
    for of_grant in [0, 4] {
        assert!(limit(3, 1).with_grant_calls_max(of_grant).is_err());
    }
    assert_eq!(limit(3, 24).grant_calls_max(), 3);
    assert_eq!(limit(3, 24).meet(limit(5, 1)), limit(3, 24));
    assert_eq!(limit(5, 24).meet(limit(3, 1)), limit(3, 24));
    let shared = limit(5, 1).with_grant_calls_max(2).unwrap();
    assert_eq!(shared.meet(limit(3, 1)).grant_calls_max(), 2);
    let plain = Policy::new([("a".to_owned(), UseSet::FORBIDDEN)], [], TERMS, 1).unwrap();
    let limited = plain.clone().with_subject_limit(limit(3, 24));
    let both = plain.meet(&limited).unwrap();
    assert_eq!(both.subject_limit(), Some(limit(3, 24)));
    assert_eq!(plain.subject_limit(), None);
}
