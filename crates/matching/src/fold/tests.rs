use super::fold_into;

fn fold(text: &str) -> String {
    let mut out = Vec::new();
    assert!(fold_into(text, 1_024, &mut out));
    String::from_utf8(out).expect("folding gives UTF-8")
}

#[test]
fn every_text_folds_as_the_table_says() {
    for (text, folded) in [
        ("", ""),
        (" \t\u{3000}\u{a0}", ""),
        ("张三", "张三"),
        ("\u{3000}张三\n", "张三"),
        ("张\u{3000}三", "张 三"),
        ("Li  \t Wei", "li wei"),
        ("ＬＩ　ＷＥＩ", "li wei"),
        ("１２３－ＡＢＣ", "123-abc"),
        ("！～", "!~"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ẞ", "ss"),
        ("ΟΔΟΣ οδος", "οδοσ οδοσ"),
        ("\u{212a}", "k"),
        ("ıI", "ii"),
        ("买买提·艾力", "买买提·艾力"),
    ] {
        assert_eq!(fold(text), folded, "{text:?}");
    }
}

#[test]
fn what_is_documented_as_different_stays_different() {
    for (a, b) in [
        ("é", "e\u{301}"),              // no Unicode normalisation
        ("張三", "张三"),               // traditional and simplified
        ("买买提·艾力", "买买提•艾力"), // middle dot and bullet
        ("张\u{200b}三", "张三"),       // zero-width space is not white space
        ("张 三", "张三"),              // a space inside is a space
        ("①", "1"),                     // compatibility forms beyond full-width ASCII
        ("ｱ", "ア"),
        ("İ", "i"), // it folds to `i` and a combining dot
    ] {
        assert_ne!(fold(a), fold(b), "{a:?} {b:?}");
    }
}

#[test]
fn folding_twice_changes_nothing_for_any_character() {
    for c in '\0'..=char::MAX {
        let once = fold(&format!("a{c}b"));
        assert_eq!(fold(&once), once, "U+{:04X}", u32::from(c));
    }
}

#[test]
fn case_pairs_meet_for_any_character() {
    for c in '\0'..=char::MAX {
        let folded = fold(&format!("a{c}b"));
        assert_eq!(
            fold(&format!("a{}b", c.to_uppercase())),
            folded,
            "U+{:04X}",
            u32::from(c)
        );
        assert_eq!(
            fold(&format!("a{}b", c.to_lowercase())),
            folded,
            "U+{:04X}",
            u32::from(c)
        );
    }
}

#[test]
fn the_limit_counts_bytes_after_folding() {
    let mut out = Vec::new();
    assert!(fold_into("  ab  ", 2, &mut out));
    out.clear();
    assert!(!fold_into("abc", 2, &mut out));
    out.clear();
    assert!(!fold_into("张", 2, &mut out));
    // White space before the limit is not held against the text, however much there is.
    out.clear();
    assert!(fold_into(&format!("{}a", " ".repeat(10_000)), 1, &mut out));
}
