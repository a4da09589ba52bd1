//! Messages of AWS event streams (`application/vnd.amazon.eventstream`): the length of the message, the length of its
//! headers, a checksum of the two; headers; a payload; a checksum of everything before. Numbers are big-endian.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Total length, length of the headers, and the checksum of the two.
const PRELUDE_BYTES: usize = 12;
const CHECKSUM_BYTES: usize = 4;
/// The type of a header that is a string.
const STRING: u8 = 7;

/// An event: a piece of an answer.
pub(crate) fn event(kind: &str, payload: &[u8]) -> Bytes {
    let headers = [
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(headers, payload)
}

/// An exception: the end of a stream that began well.
pub(crate) fn exception(kind: &str, payload: &[u8]) -> Bytes {
    let headers = [
        (":exception-type", kind),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    message(headers, payload)
}

fn message(headers: [(&str, &str); 3], payload: &[u8]) -> Bytes {
    let sizes = headers.map(|(name, value)| 1 + name.len() + 1 + 2 + value.len());
    let of_headers: usize = sizes.iter().sum();
    let total = PRELUDE_BYTES + of_headers + payload.len() + CHECKSUM_BYTES;
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    out.put_u32(u32::try_from(of_headers).unwrap_or(u32::MAX));
    out.put_u32(crc32fast::hash(&out));
    for (name, value) in headers {
        out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.put_slice(name.as_bytes());
        out.put_u8(STRING);
        out.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        out.put_slice(value.as_bytes());
    }
    out.put_slice(payload);
    out.put_u32(crc32fast::hash(&out));
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_what_bedrock_was_recorded_to_send() {
        let payload = br#"{"p":"ab","stopReason":"end_turn"}"#;
        let recorded = "00000083000000518f0874490b3a6576656e742d7479706507000b6d65737361676553746f700d3a636f6e74656e742d\
            747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b2270\
            223a226162222c2273746f70526561736f6e223a22656e645f7475726e227d9056e9a4";
        let hex = event("messageStop", payload)
            .iter()
            .fold(String::new(), |mut hex, byte| {
                use std::fmt::Write as _;
                let _infallible = write!(hex, "{byte:02x}");
                hex
            });
        assert_eq!(hex, recorded);
    }

    #[test]
    fn an_exception_says_so_in_its_headers() {
        let message = exception("throttlingException", b"{}");
        let text = String::from_utf8_lossy(&message);
        assert!(text.contains(":message-type\u{7}\u{0}\u{9}exception"), "{text}");
        assert!(
            text.contains(":exception-type\u{7}\u{0}\u{13}throttlingException"),
            "{text}"
        );
    }
}
