//! Text as drivers give it, decoded without replacing anything.

use std::borrow::Cow;

use super::columns::Unfit;

/// UTF-8.
pub(super) fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, Unfit> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|_| Unfit)
}

/// GBK, and what GB 18030 adds to it.
pub(super) fn gbk(bytes: &[u8]) -> Result<Cow<'_, str>, Unfit> {
    encoding_rs::GB18030
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or(Unfit)
}

/// UTF-16 in the machine's order of bytes.
pub(super) fn utf16(units: &[u16]) -> Result<Cow<'_, str>, Unfit> {
    String::from_utf16(units).map(Cow::Owned).map_err(|_| Unfit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_text_is_refused_and_never_replaced() {
        assert_eq!(utf8("社保".as_bytes()).unwrap(), "社保");
        assert_eq!(gbk(&[0xc9, 0xe7, 0xb1, 0xa3]).unwrap(), "社保");
        let wide: Vec<u16> = "社𠮷".encode_utf16().collect();
        assert_eq!(utf16(&wide).unwrap(), "社𠮷");
        // GBK given as UTF-8, a character cut in half, half of a surrogate pair.
        assert_eq!(utf8(&[0xc9, 0xe7]), Err(Unfit));
        assert_eq!(gbk(&[0xc9]), Err(Unfit));
        assert_eq!(utf16(&wide[..2]), Err(Unfit));
    }
}
