use super::{credit_code, is_well_formed, organisation_check};

#[test]
fn published_codes_are_well_formed() {
    // The examples of GB 32100-2015 and, for the organisation code, of GB 11714-1997.
    assert!(is_well_formed("91350100M000100Y43"));
    assert_eq!(organisation_check("D2143569"), 'X');
}

#[test]
fn a_made_code_is_well_formed_and_one_wrong_character_is_noticed() {
    for organisation in [0, 1, 7, 20_250_731, 99_999_999] {
        let code = credit_code("91", "459201", organisation);
        assert!(is_well_formed(&code), "{code}");
        assert_eq!(&code[8..16], format!("{organisation:08}"));
        for at in 0..18 {
            let mut altered = code.clone().into_bytes();
            altered[at] = if altered[at] == b'7' { b'8' } else { b'7' };
            assert!(!is_well_formed(std::str::from_utf8(&altered).unwrap()));
        }
    }
}

#[test]
fn what_is_no_code_is_not_well_formed() {
    for bad in [
        "",
        "91350100M000100Y4",
        "91350100M000100Y44",
        "91350100I000100Y43",
        "九1350100M000100Y",
    ] {
        assert!(!is_well_formed(bad), "{bad}");
    }
}
