use std::collections::BTreeSet;

use super::{GIVEN, Names, SURNAMES, Sex};
use crate::register::draws::Draws;

#[test]
fn no_surname_stands_twice_and_every_character_is_chinese() {
    let surnames: Vec<&str> = SURNAMES
        .iter()
        .flat_map(|(_, names)| *names)
        .copied()
        .collect();
    let distinct: BTreeSet<&str> = surnames.iter().copied().collect();
    assert_eq!(distinct.len(), surnames.len());
    let given = GIVEN.iter().flatten().flat_map(|given| given.characters);
    for word in surnames.iter().chain(given) {
        let chinese = |c: char| matches!(c, '\u{3400}'..='\u{9fff}');
        assert!(word.chars().all(chinese), "{word}");
    }
}

#[test]
fn names_have_two_to_four_characters_and_frequent_surnames_are_frequent() {
    let names = Names::new();
    let mut draws = Draws::of(1, 1, 1);
    let drawn: Vec<String> = (0..20_000)
        .map(|n| {
            names.draw(
                [Sex::Female, Sex::Male][n % 2],
                1960 + (n % 48) as i32,
                &mut draws,
            )
        })
        .collect();
    for name in &drawn {
        assert!((2..=4).contains(&name.chars().count()), "{name}");
    }
    let per_mille = |surname: &str| {
        drawn
            .iter()
            .filter(|name| name.starts_with(surname))
            .count()
            * 1_000
            / drawn.len()
    };
    assert!((40..90).contains(&per_mille("王")), "{}", per_mille("王"));
    assert!(per_mille("黄") > per_mille("赵"));
    assert!(per_mille("欧阳") < 5);
}
