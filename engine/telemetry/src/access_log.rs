//! A record as one line of JSON.
//!
//! Written by hand, in one pass into a buffer that the journal reuses: a line a request is the most frequent
//! thing this process writes. The order of the fields is fixed, absent ones are left out, and what a client or
//! a provider chose the length of is cut. The fields are explained in docs/reference/access-log.md, whose
//! example is checked against this file by a test.

use std::io::Write;
use std::time::Duration;

use tollgate_core::{ServiceTier, Usage};

use crate::EmbeddingRecord;
use crate::Line;
use crate::record::{
    AttemptRecord, AttemptRole, CacheRecord, FeedbackRecord, RequestRecord, Served, WhyWithheld,
};
use crate::scrub::cut;

/// No text in a line is longer, whoever chose it. Above what [`crate::Scrubbed`] lets through.
const MAX_TEXT_BYTES: usize = 520;

/// Paths of a [`RequestRecord::loss`] that are listed; `loss_count` has their number.
const MAX_LOSS_PATHS: usize = 16;

impl Line for RequestRecord {
    fn write_line(&self, out: &mut Vec<u8>) {
        write_record(out, self);
    }
}

fn write_record(out: &mut Vec<u8>, record: &RequestRecord) {
    let mut line = Object::open(out);
    line.display("time", record.at);
    line.display("id", record.id);
    line.text("key", record.key.as_deref());
    if let Some(surface) = record.surface {
        line.text("surface", Some(surface.name()));
        line.text("operation", Some(surface.operation()));
        line.text("dialect", Some(surface.dialect().name()));
    }
    line.flag("stream", record.stream);
    line.text("model", record.model.as_deref());
    line.text("route", record.route.as_deref());
    line.count("epoch", record.epoch);
    if let Some(served) = &record.served {
        write_served(&mut line, served);
    }
    line.count("status", Some(u64::from(record.status)));
    line.text("outcome", Some(record.ending.name()));
    line.text("error_type", record.ending.error_type());
    line.text("error", record.error.as_ref().map(crate::Scrubbed::as_str));
    line.text("finish", record.finish.map(tollgate_core::FinishReason::name));
    if let Some(usage) = &record.usage {
        write_usage(&mut line, usage);
    }
    write_money(&mut line, record);
    if let Some(cache) = &record.cache {
        write_cache(&mut line, cache);
    }
    if let Some(embedding) = &record.embedding {
        write_embedding(&mut line, embedding);
    }
    if let Some(feedback) = &record.feedback {
        write_feedback(&mut line, *feedback);
    }
    write_timings(&mut line, record);
    line.count("request_bytes", Some(record.request_bytes));
    line.count("response_bytes", Some(record.response_bytes));
    write_attempts(&mut line, &record.attempts);
    write_loss(&mut line, &record.loss);
    line.close();
    out.push(b'\n');
}

fn write_served(line: &mut Object<'_>, served: &Served) {
    line.text("provider", Some(&served.provider));
    line.text("upstream_dialect", Some(served.dialect.name()));
    line.text("upstream_model", Some(&served.model));
    line.text("response_model", served.response_model.as_deref());
    line.text("upstream_request_id", served.request_id.as_deref());
}

/// Classes without tokens are left out, but for the two that everyone looks for.
fn write_usage(line: &mut Object<'_>, usage: &Usage) {
    let some = |tokens: u64| (tokens > 0).then_some(tokens);
    let mut tokens = line.object("usage");
    tokens.count("input", Some(usage.input));
    tokens.count("cache_read", some(usage.cache_read));
    tokens.count("cache_write", some(usage.cache_write));
    tokens.count("cache_write_1h", some(usage.cache_write_1h));
    tokens.count("audio_input", some(usage.audio_input));
    tokens.count("output", Some(usage.output));
    tokens.count("reasoning", some(usage.reasoning));
    tokens.count("audio_output", some(usage.audio_output));
    tokens.count("searches", some(usage.units.searches));
    tokens.count("images", some(usage.units.images));
    tokens.count("audio_ms", some(usage.units.audio_ms));
    tokens.text("source", Some(usage.source.name()));
    tokens.close();
}

fn write_money(line: &mut Object<'_>, record: &RequestRecord) {
    let tier = match record.service_tier {
        ServiceTier::Standard => None,
        ServiceTier::Flex => Some("flex"),
        ServiceTier::Priority => Some("priority"),
    };
    line.text("service_tier", tier);
    match record.cost {
        Some(cost) => {
            line.count("cost_nanodollars", Some(cost.0));
            line.display("cost_usd", cost);
        }
        None if record.usage.is_some() => line.flag("price_known", false),
        None => {}
    }
}

fn write_cache(line: &mut Object<'_>, cache: &CacheRecord) {
    let mut object = line.object("cache");
    object.text("result", Some(cache.result.name()));
    if let Some(score) = cache.score {
        object.display("score", format_args!("{score:.3}"));
    }
    object.count("age_ms", cache.age.map(millis));
    object.count("entry", cache.entry);
    object.count("saved_nanodollars", cache.saved.map(|saved| saved.0));
    object.count("saved_ms", cache.saved_time.map(millis));
    object.text("reason", cache.reason);
    object.text("withheld", cache.withheld.map(WhyWithheld::name));
    object.close();
}

fn write_embedding(line: &mut Object<'_>, embedding: &EmbeddingRecord) {
    let mut object = line.object("embedding");
    object.text("outcome", Some(embedding.outcome.name()));
    object.count("us", embedding.elapsed.map(micros));
    object.count("tokens", embedding.tokens);
    object.count("cost_nanodollars", embedding.cost.map(|cost| cost.0));
    object.close();
}

fn write_feedback(line: &mut Object<'_>, feedback: FeedbackRecord) {
    let mut object = line.object("feedback");
    object.count("entry", Some(feedback.entry));
    let verdict = if feedback.was_right { "right" } else { "wrong" };
    object.text("verdict", Some(verdict));
    if let Some(counts) = feedback.counts {
        object.flag("counts", counts);
    }
    object.close();
}

fn write_timings(line: &mut Object<'_>, record: &RequestRecord) {
    let timings = &record.timings;
    line.count("total_us", Some(micros(timings.total)));
    line.count("first_byte_us", timings.first_byte.map(micros));
    line.count("first_token_us", timings.first_token.map(micros));
    line.count("generation_us", timings.generation.map(micros));
    line.count("upstream_us", Some(micros(timings.upstream)));
    line.count("overhead_us", Some(micros(timings.overhead)));
}

fn write_attempts(line: &mut Object<'_>, attempts: &[AttemptRecord]) {
    if attempts.is_empty() {
        return;
    }
    line.name("attempts");
    line.out.push(b'[');
    for (position, attempt) in attempts.iter().enumerate() {
        if position > 0 {
            line.out.push(b',');
        }
        let mut object = Object::open(line.out);
        object.text("provider", Some(&attempt.provider));
        object.text("model", Some(&attempt.model));
        object.text("outcome", Some(attempt.outcome.name()));
        object.count("status", attempt.status.map(u64::from));
        object.count("us", Some(micros(attempt.elapsed)));
        let is_special = attempt.role != AttemptRole::Ordinary;
        object.text("role", is_special.then_some(attempt.role.name()));
        let share = attempt.cost.filter(|_| attempts.len() > 1);
        object.count("cost_nanodollars", share.map(|cost| cost.0));
        object.close();
    }
    line.out.push(b']');
}

fn write_loss(line: &mut Object<'_>, loss: &[Box<str>]) {
    if loss.is_empty() {
        return;
    }
    line.count("loss_count", Some(u64::try_from(loss.len()).unwrap_or(u64::MAX)));
    line.name("loss");
    line.out.push(b'[');
    for (position, path) in loss.iter().take(MAX_LOSS_PATHS).enumerate() {
        if position > 0 {
            line.out.push(b',');
        }
        write_text(line.out, path);
    }
    line.out.push(b']');
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A JSON object being written. Field names are ours and need no escaping.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    fn close(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &'static str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn object(&mut self, name: &'static str) -> Object<'_> {
        self.name(name);
        Object::open(self.out)
    }

    fn text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.name(name);
            write_text(self.out, text);
        }
    }

    fn count(&mut self, name: &'static str, count: Option<u64>) {
        if let Some(count) = count {
            self.name(name);
            self.out
                .extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
        }
    }

    fn flag(&mut self, name: &'static str, holds: bool) {
        self.name(name);
        self.out.extend_from_slice(if holds { b"true" } else { b"false" });
    }

    /// A value whose `Display` needs no escaping: times, ids, amounts.
    fn display(&mut self, name: &'static str, value: impl std::fmt::Display) {
        self.name(name);
        // Writing into memory cannot fail.
        let _ = write!(self.out, "\"{value}\"");
    }
}

/// A JSON string of bounded length.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let (text, is_cut) = cut(text, MAX_TEXT_BYTES);
    out.push(b'"');
    // Nearly every text is plain: one look without branches, which the compiler vectorises, and one copy.
    let is_plain = text.bytes().fold(true, |plain, byte| plain & !needs_escape(byte));
    if is_plain {
        out.extend_from_slice(text.as_bytes());
    } else {
        text.bytes().for_each(|byte| write_escaped(out, byte));
    }
    if is_cut {
        out.extend_from_slice("…".as_bytes());
    }
    out.push(b'"');
}

const fn needs_escape(byte: u8) -> bool {
    matches!(byte, 0..0x20 | b'"' | b'\\')
}

/// Bytes above ASCII belong to characters that JSON takes as they are.
fn write_escaped(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        byte if needs_escape(byte) => {
            // Writing into memory cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
        }
        byte => out.push(byte),
    }
}

#[cfg(test)]
mod tests;
