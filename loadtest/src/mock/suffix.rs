//! Behaviour by model name, for people with nothing but a model name to type:
//! `any--latency200--status529x2--retryafter1`. The words after the first `--` are laid over the behaviour that the
//! name in front of it has. The grammar is in the guide (`docs/guide/simulated-providers.md`).

use std::str::FromStr;

use super::behaviour::{Behaviour, BodyKind, Failure, Fault, FaultKind, FaultPoint, Latency, ToolCall};

/// Every word of the grammar, as shown to someone who mistyped one.
const WORDS: &str = "latency<ms>, lognormal<median ms>x<sigma>, firsttoken<ms>, pace<ms>, tokens<n>, \
    status<code>[x<first n>], fail<percent>, failfirst<n>, retryafter<seconds>, hang[<chunks>|head], \
    reset[<chunks>|head], cut[<chunks>|head], error<chunks>, html, malformed, empty, drip<ms>, endless, tool, \
    think<n>, nousage, usage<prompt>x<output>";

/// The model name without its behaviour words, and those words (empty when there are none).
pub(crate) fn split(model: &str) -> (&str, &str) {
    model.split_once("--").unwrap_or((model, ""))
}

/// Lays `words` (`latency200--cut10`) over `behaviour`.
///
/// # Errors
/// The first word that is not in the grammar, or the first value out of range, in a sentence for people.
pub(crate) fn overlay(behaviour: &mut Behaviour, words: &str) -> Result<(), String> {
    for word in words.split("--").filter(|word| !word.is_empty()) {
        let digits_at = word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len());
        let (name, value) = word.split_at(digits_at);
        apply(behaviour, name, value)
            .ok_or_else(|| format!("unknown behaviour '{word}' in the model name; known are: {WORDS}"))?;
    }
    match behaviour.problems().first() {
        None => Ok(()),
        Some(problem) => Err(format!(
            "behaviour in the model name, {}: {}",
            problem.path, problem.message
        )),
    }
}

fn apply(behaviour: &mut Behaviour, name: &str, value: &str) -> Option<()> {
    match name {
        "latency" => {
            behaviour.latency = Latency::Fixed { ms: number(value)? };
        }
        "lognormal" => {
            let (median, sigma) = value.split_once('x')?;
            behaviour.latency = Latency::Lognormal {
                median_ms: number(median)?,
                sigma: number(sigma)?,
            };
        }
        "firsttoken" => behaviour.pacing.first_token_ms = number(value)?,
        "pace" => behaviour.pacing.inter_token_ms = number(value)?,
        "tokens" => behaviour.reply.tokens = Some(number(value)?),
        "think" => behaviour.reply.thinking_tokens = Some(number(value)?),
        "drip" => {
            behaviour.pacing.write_bytes = Some(1);
            behaviour.pacing.write_pause_ms = number(value)?;
        }
        "status" => {
            let (status, first) = match value.split_once('x') {
                Some((status, first)) => (status, Some(number(first)?)),
                None => (value, None),
            };
            failure(behaviour).status = number(status)?;
            behaviour.fail_first = first.or(behaviour.fail_first);
        }
        "fail" => behaviour.fail_ratio = Some(number::<f64>(value)? / 100.0),
        "failfirst" => behaviour.fail_first = Some(number(value)?),
        "retryafter" => failure(behaviour).retry_after = Some(number::<f64>(value)?.to_string()),
        "usage" => {
            let (prompt, output) = value.split_once('x')?;
            behaviour.usage.prompt = Some(number(prompt)?);
            behaviour.usage.output = Some(number(output)?);
        }
        _ if value.is_empty() => return apply_bare(behaviour, name),
        _ => return apply_fault(behaviour, name, FaultPoint::AfterChunks(number(value)?)),
    }
    Some(())
}

/// Words without a number.
fn apply_bare(behaviour: &mut Behaviour, name: &str) -> Option<()> {
    match name {
        "html" => failure(behaviour).body = BodyKind::Html,
        "malformed" => failure(behaviour).body = BodyKind::Malformed,
        "empty" => failure(behaviour).body = BodyKind::Empty,
        "endless" => behaviour.reply.endless = true,
        "nousage" => behaviour.usage.omit = true,
        "tool" => behaviour.reply.tool = Some(ToolCall::default()),
        "error" => return None,
        _ => match name.strip_suffix("head") {
            Some(name) => return apply_fault(behaviour, name, FaultPoint::AfterHead),
            None => return apply_fault(behaviour, name, FaultPoint::BeforeHead),
        },
    }
    Some(())
}

fn apply_fault(behaviour: &mut Behaviour, name: &str, at: FaultPoint) -> Option<()> {
    let kind = match name {
        "hang" => FaultKind::Hang,
        "reset" => FaultKind::Reset,
        "cut" => FaultKind::Cut,
        "error" => FaultKind::ErrorEvent,
        _ => return None,
    };
    behaviour.fault = Some(Fault { kind, at });
    Some(())
}

/// The failure to fill in. A body without a status is a 200 that lies.
fn failure(behaviour: &mut Behaviour) -> &mut Failure {
    behaviour.failure.get_or_insert_with(|| Failure {
        status: 200,
        ..Failure::default()
    })
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Behaviour, String> {
        let mut behaviour = Behaviour::default();
        overlay(&mut behaviour, words).map(|()| behaviour)
    }

    #[test]
    fn words_are_laid_over_the_behaviour() {
        let read = read("latency200--status529x2--retryafter1--tokens40").expect("valid");
        assert_eq!(read.latency, Latency::Fixed { ms: 200.0 });
        let failure = read.failure.expect("failure");
        assert_eq!((failure.status, failure.retry_after.as_deref()), (529, Some("1")));
        assert_eq!((read.fail_first, read.reply.tokens), (Some(2), Some(40)));
    }

    #[test]
    fn faults_take_a_place() {
        let fault = |words| read(words).expect("valid").fault.expect("fault");
        assert_eq!(fault("hang").at, FaultPoint::BeforeHead);
        assert_eq!(fault("resethead").at, FaultPoint::AfterHead);
        assert_eq!(fault("cut10").at, FaultPoint::AfterChunks(10));
        assert_eq!(fault("error3").kind, FaultKind::ErrorEvent);
    }

    #[test]
    fn unknown_and_absurd_words_are_refused_with_the_grammar() {
        for bad in [
            "bogus",
            "latency",
            "latencyfast",
            "cut-1",
            "status529xx",
            "cut99999999999",
            "error",
            "lognormal5",
        ] {
            assert!(
                read(bad).expect_err(bad).contains("known are: latency<ms>"),
                "{bad}"
            );
        }
        assert!(read("status999").expect_err("range").contains("failure.status"));
        assert!(
            read("latency99999999")
                .expect_err("range")
                .contains("latency.fixed.ms")
        );
        assert!(read("fail150").expect_err("range").contains("fail_ratio"));
    }
}
