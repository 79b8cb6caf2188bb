//! The W3C trace context: taken from whoever called, handed to whatever follows.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetrySpanExt, SetParentError};

/// Makes `span` a part of the trace that a `traceparent` names. Call it before the span is
/// entered. Without one, or with a malformed one, the span begins a trace of its own.
pub fn continue_trace(span: &Span, traceparent: Option<&str>) {
    let Some(parent) = traceparent.and_then(parse) else {
        return;
    };
    match span.set_parent(Context::new().with_remote_span_context(parent)) {
        // Without telemetry, or with the span filtered out, there is no trace to continue.
        Ok(()) | Err(SetParentError::LayerNotFound | SetParentError::SpanDisabled) => {}
        Err(error @ SetParentError::AlreadyStarted) => {
            tracing::warn!(%error, "a trace was not continued");
        }
    }
}

/// Links `span` to the trace that a `traceparent` names, without becoming a part of it: for what has
/// several causes, or none that waits for it. A malformed one is passed over.
pub fn link_trace(span: &Span, traceparent: &str) {
    if let Some(cause) = parse(traceparent) {
        span.add_link(cause);
    }
}

/// The `traceparent` of the current span, to be stored or sent with what follows from it.
/// Outside of every span it names a fresh trace, so that there always is one.
#[must_use]
pub fn traceparent() -> String {
    let current = current();
    if current.is_valid() {
        return format(&current);
    }
    let ids = RandomIdGenerator::default();
    format(&SpanContext::new(
        ids.new_trace_id(),
        ids.new_span_id(),
        TraceFlags::NOT_SAMPLED,
        false,
        TraceState::NONE,
    ))
}

/// The context of the current span; not valid outside of every span.
pub(crate) fn current() -> SpanContext {
    Context::map_current(|context| context.span().span_context().clone())
}

fn format(context: &SpanContext) -> String {
    format!(
        "00-{}-{}-{:02x}",
        context.trace_id(),
        context.span_id(),
        context.trace_flags() & TraceFlags::SAMPLED
    )
}

/// Reads a `traceparent` to the letter. OpenTelemetry's own reader also takes short ids, signs
/// and blanks, which would go out again as they never came in.
fn parse(text: &str) -> Option<SpanContext> {
    const LENGTH: usize = 55;
    let known = text.get(..LENGTH)?;
    let rest = text.get(LENGTH..)?;
    let mut parts = known.split('-');
    let mut hex = |length: usize| {
        let part = parts.next()?;
        let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (part.len() == length && part.bytes().all(lower_hex)).then_some(part)
    };
    let (version, trace_id, span_id, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    let extended = rest.starts_with('-') && version != "00";
    if version == "ff" || !(rest.is_empty() || extended) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let context = SpanContext::new(
        TraceId::from_hex(trace_id).ok()?,
        SpanId::from_hex(span_id).ok()?,
        flags,
        true,
        TraceState::NONE,
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_well_formed_header_reads_back() {
        assert_eq!(
            parse(TRACEPARENT).as_ref().map(format).as_deref(),
            Some(TRACEPARENT)
        );
        let later = format!("cc{}-what-comes-later", &TRACEPARENT[2..]);
        assert_eq!(
            parse(&later).as_ref().map(format).as_deref(),
            Some(TRACEPARENT)
        );
    }

    #[test]
    fn a_malformed_header_is_none() {
        for malformed in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 ",
            "+0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c8031éc-b7ad6b7169203331-01",
        ] {
            assert_eq!(parse(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn there_is_a_traceparent_even_outside_of_every_span() {
        let (first, second) = (traceparent(), traceparent());
        assert!(parse(&first).is_some(), "{first}");
        assert_ne!(first, second);
    }
}
