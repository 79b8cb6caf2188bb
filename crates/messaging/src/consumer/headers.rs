//! A message's headers. rdkafka's interface panics at a name that is no UTF-8, which anybody may
//! send; librdkafka's does not.

#![expect(
    unsafe_code,
    reason = "names that are no UTF-8 are in librdkafka's interface alone, which is C"
)]

use std::ffi::CStr;
use std::{ptr, slice};

use dead_letters::Headers;
use rdkafka::bindings as c;
use rdkafka::error::IsError as _;
use rdkafka::message::BorrowedHeaders;

/// Copies the headers, in order. What is no UTF-8 in a name is replaced.
pub(super) fn copied(headers: &BorrowedHeaders) -> Headers {
    let native = ptr::from_ref(headers).cast::<c::rd_kafka_headers_t>();
    let mut copied = Headers::new();
    loop {
        let mut name = ptr::null();
        let mut value = ptr::null();
        let mut size = 0;
        // SAFETY: a `BorrowedHeaders` is never a value, only the address of librdkafka's headers,
        // which live as long as the reference does; the call reads them.
        let error = unsafe {
            c::rd_kafka_header_get_all(
                native,
                copied.len(),
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        if error.is_error() || name.is_null() {
            return copied;
        }
        // SAFETY: the name ends in a zero, the value has its size, and both belong to the headers.
        let (name, value) = unsafe {
            let value = (!value.is_null())
                .then(|| slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
            (CStr::from_ptr(name), value)
        };
        copied.push((name.to_string_lossy().into_owned(), value));
    }
}
