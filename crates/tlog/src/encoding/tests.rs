use proptest::prelude::*;

use super::*;

#[test]
fn decimals_have_one_spelling() {
    assert_eq!(from_decimal("0"), Some(0));
    assert_eq!(from_decimal("10"), Some(10));
    assert_eq!(from_decimal("18446744073709551615"), Some(u64::MAX));
    let refused = [
        "",
        "00",
        "01",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1_0",
        "0x1",
        "１",
        "18446744073709551616",
    ];
    for text in refused {
        assert_eq!(from_decimal(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_would_be_written(text in "[A-Za-z0-9+/=_-]{0,12}", number in "[0-9+ ]{0,4}") {
        if let Some(bytes) = from_base64(&text) {
            prop_assert_eq!(base64(&bytes), text);
        }
        if let Some(value) = from_decimal(&number) {
            prop_assert_eq!(value.to_string(), number);
        }
    }

    #[test]
    fn what_is_written_is_read(bytes in any::<Vec<u8>>(), number in any::<u64>()) {
        prop_assert_eq!(from_base64(&base64(&bytes)), Some(bytes));
        prop_assert_eq!(from_decimal(&number.to_string()), Some(number));
    }
}
