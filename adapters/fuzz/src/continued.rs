//! An answer that broke off, gone on with by another provider.
//!
//! Input: one byte for the client (bit 0: messages, else chat completions), one for the first provider and one for the
//! second, two that say how many bytes the first one sends, [`CUTS`] bytes that say how to cut, and what both send.

use bytes::Bytes;
use tollgate_adapters::{
    Scratch, StreamEnd, StreamReader, encode, encode_continuation, read_head, settled_usage,
};
use tollgate_core::{ProviderKind, Surface};

use super::answer::assert_countable;
use super::cutting::{CUTS, chunks, settings};
use super::grammar;
use super::parties::{PROVIDERS, egress, hello};
use super::wire::assert_object;

/// Those who can be in it: of OpenAI's dialect and of Anthropic's.
fn provider(number: u8) -> (ProviderKind, &'static str) {
    let (kind, model) = PROVIDERS[usize::from(number) % PROVIDERS.len()];
    match kind {
        ProviderKind::Anthropic => (kind, "claude-3-5-haiku-latest"),
        kind => (kind, model),
    }
}

/// Wherever the first answer breaks off, and whatever the second one is: one stream, in the grammar of the client's
/// dialect, ended once, the same however the second is cut; and a request for it that is JSON.
pub(crate) fn check(data: &[u8]) {
    let Some(([client, first, second], data)) = settings::<3>(data) else {
        return;
    };
    let Some((length, data)) = settings::<2>(data) else {
        return;
    };
    let Some((cuts, bytes)) = settings::<CUTS>(data) else {
        return;
    };
    let client = match client & 1 {
        0 => Surface::ChatCompletions,
        _ => Surface::Messages,
    };
    let length = usize::from(u16::from_be_bytes(length)) % (bytes.len() + 1);
    let (begun, rest) = bytes.split_at(length);
    let body = Bytes::from(hello(client, true, true));
    let head = read_head(client, &body, &mut Scratch::default()).expect("it is a request");
    let (kind, model) = provider(first);
    let encoded = encode(client, &head, &body, &egress(kind, model)).expect("every provider can be asked");
    let is_translated = kind.dialect_for(client) != client.dialect();
    let mut broken = encoded.reader.stream().collecting();
    let mut told = Vec::new();
    push(&mut broken, chunks(begun, &cuts), &mut told);
    let partial = broken.partial().expect("it collects").clone();
    let (kind, model) = provider(second);
    let encode_again = || encode_continuation(client, &head, &body, &partial, &egress(kind, model));
    let Ok(again) = encode_again() else {
        return;
    };
    assert_object(&again.body, "a request to go on");
    let spent = settled_usage(broken.report(), head.prompt_bytes);
    let mut ways = [told.clone(), told];
    for (told, is_cut) in ways.iter_mut().zip([false, true]) {
        let reader = encode_again().expect("as before").reader;
        let Some(mut joined) = broken.continue_with(reader, spent) else {
            return;
        };
        if is_cut {
            push(&mut joined, chunks(rest, &cuts), told);
        } else {
            push(&mut joined, std::iter::once(rest), told);
        }
        let mut out = Vec::new();
        joined.finish(StreamEnd::Eof, &mut out);
        told.extend(out.concat());
        assert_countable(joined.report());
        assert!(
            joined
                .partial()
                .is_some_and(|all| all.text().starts_with(partial.text())),
            "what was said is gone"
        );
    }
    let [whole, cut] = ways;
    let shown = String::from_utf8_lossy;
    assert!(
        whole == cut,
        "it matters how the stream is cut:\n{}\n{}",
        shown(&whole),
        shown(&cut)
    );
    if is_translated {
        grammar::check(client.dialect(), &whole);
    }
}

fn push<'a>(reader: &mut StreamReader, chunks: impl Iterator<Item = &'a [u8]>, told: &mut Vec<u8>) {
    let mut out = Vec::new();
    for chunk in chunks {
        reader.push(Bytes::copy_from_slice(chunk), &mut out);
    }
    told.extend(out.concat());
}
