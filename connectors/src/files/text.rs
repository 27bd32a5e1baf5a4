//! Bytes to text, never by replacing what is malformed.

use encoding_rs::{Decoder, DecoderResult, Encoding};
use serde::Deserialize;

/// How text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum TextEncoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "gbk")]
    Gbk,
    #[serde(rename = "gb18030")]
    Gb18030,
}

/// Turns the bytes of one file into text.
pub(crate) struct Transcoder {
    decoder: Decoder,
    malformed: bool,
}

impl Transcoder {
    /// At the beginning of a file; a byte-order mark of UTF-8 is not part of the text.
    pub(crate) fn new(encoding: TextEncoding) -> Transcoder {
        let encoding: &'static Encoding = match encoding {
            TextEncoding::Utf8 => encoding_rs::UTF_8,
            TextEncoding::Gbk => encoding_rs::GBK,
            TextEncoding::Gb18030 => encoding_rs::GB18030,
        };
        Transcoder {
            decoder: encoding.new_decoder_with_bom_removal(),
            malformed: false,
        }
    }

    /// Adds the text of `bytes` to `text`, up to the first malformed sequence. `last`: no more bytes follow.
    pub(crate) fn push(&mut self, bytes: &[u8], last: bool, text: &mut String) {
        if self.malformed {
            return;
        }
        let longest = self
            .decoder
            .max_utf8_buffer_length_without_replacement(bytes.len())
            .expect("a chunk is much shorter than the address space");
        text.reserve(longest);
        let (result, _) = self
            .decoder
            .decode_to_string_without_replacement(bytes, text, last);
        // With enough room for everything the decoder never asks for more.
        self.malformed = !matches!(result, DecoderResult::InputEmpty);
    }

    /// Whether malformed bytes follow the text so far.
    pub(crate) fn malformed(&self) -> bool {
        self.malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(encoding: TextEncoding, chunks: &[&[u8]]) -> (String, bool) {
        let mut transcoder = Transcoder::new(encoding);
        let mut text = String::new();
        for (at, chunk) in chunks.iter().enumerate() {
            transcoder.push(chunk, at + 1 == chunks.len(), &mut text);
        }
        (text, transcoder.malformed())
    }

    #[test]
    fn characters_may_be_cut_by_chunks_but_not_by_the_end() {
        use TextEncoding::{Gb18030, Gbk, Utf8};
        // 灵渠 in both encodings, and a character that only four bytes of GB18030 can say.
        assert_eq!(
            text(Gbk, &[b"\xc1", b"\xe9\xc7", b"\xfe"]),
            ("灵渠".into(), false)
        );
        assert_eq!(text(Utf8, &[b"\xe7\x81", b"\xb5"]), ("灵".into(), false));
        assert_eq!(
            text(Gb18030, &[b"\x95\x32\x82\x36"]),
            ("\u{20000}".into(), false)
        );
        assert_eq!(text(Gbk, &[b"a\xc1"]), ("a".into(), true));
        assert_eq!(text(Utf8, &[b"a\xe7\x81"]), ("a".into(), true));
        assert_eq!(text(Utf8, &[b"a\xffb", b"c"]), ("a".into(), true));
        assert_eq!(text(Gbk, &[b"a\xff\xff", b"c"]), ("a".into(), true));
    }

    #[test]
    fn a_byte_order_mark_is_no_text() {
        assert_eq!(
            text(TextEncoding::Utf8, &[b"\xef\xbb\xbfid"]),
            ("id".into(), false)
        );
        // In GBK the same bytes are characters, so that a wrong encoding shows at the header.
        assert_ne!(text(TextEncoding::Gbk, &[b"\xef\xbb\xbfid"]).0, "id");
    }
}
