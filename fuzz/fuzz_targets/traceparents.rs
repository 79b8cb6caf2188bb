//! Text as the trace context of a message from Kafka.
#![no_main]

use contracts::Traceparent;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(read) = Traceparent::parse(text) {
        assert_eq!(read.as_str(), text);
    }
});
