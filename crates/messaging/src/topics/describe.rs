//! Topic ids. rdkafka's interface does not give them, librdkafka's does: this is the one place
//! that calls it directly.

#![expect(
    unsafe_code,
    reason = "topic ids are in librdkafka's interface alone, which is C"
)]

use std::ffi::{CStr, CString, c_char};
use std::slice;
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::Client;
use rdkafka::error::{IsError, KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, types::RDKafkaRespErr};

use super::probe::DescribedTopic;

/// Asks one broker which topics the named ones are. Blocks until it answers.
///
/// Any broker knows; left to itself, librdkafka would ask the controller, which the embedded
/// cluster does not have.
pub(super) fn topics<C: ClientContext>(
    client: &Client<C>,
    broker: i32,
    names: &[String],
    patience: Duration,
) -> Result<Vec<DescribedTopic>, KafkaError> {
    let names = names
        .iter()
        .map(|name| CString::new(name.as_str()))
        .collect::<Result<Vec<_>, _>>()?;
    let queue = Queue::new(client.native_ptr());
    ask(client.native_ptr(), broker, &queue, &names, patience)?;
    let event = queue
        .poll(patience)
        .ok_or(KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut))?;
    event.topics()
}

fn ask(
    client: *mut c::rd_kafka_t,
    broker: i32,
    queue: &Queue,
    names: &[CString],
    patience: Duration,
) -> Result<(), KafkaError> {
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let mut text: [c_char; 256] = [0; 256];
    // SAFETY: `client` and `queue` are alive throughout; names and options are copied by the
    // request, which alone keeps what it needs after they are destroyed.
    unsafe {
        let collection =
            c::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = c::rd_kafka_AdminOptions_new(
            client,
            c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        let refused = [
            c::rd_kafka_AdminOptions_set_request_timeout(
                options,
                milliseconds(patience),
                text.as_mut_ptr(),
                text.len(),
            ),
            c::rd_kafka_AdminOptions_set_broker(options, broker, text.as_mut_ptr(), text.len()),
        ]
        .into_iter()
        .find(RDKafkaRespErr::is_error);
        if refused.is_none() {
            c::rd_kafka_DescribeTopics(client, collection, options, queue.0);
        }
        c::rd_kafka_AdminOptions_destroy(options);
        c::rd_kafka_TopicCollection_destroy(collection);
        refused.map_or(Ok(()), checked)
    }
}

/// A queue of our own, on which the answer comes.
struct Queue(*mut c::rd_kafka_queue_t);

impl Queue {
    fn new(client: *mut c::rd_kafka_t) -> Self {
        // SAFETY: the client is alive.
        Self(unsafe { c::rd_kafka_queue_new(client) })
    }

    fn poll(&self, patience: Duration) -> Option<Event> {
        // SAFETY: the queue is ours and alive.
        let event = unsafe { c::rd_kafka_queue_poll(self.0, milliseconds(patience)) };
        (!event.is_null()).then_some(Event(event))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: it is ours, and used by nobody after this.
        unsafe { c::rd_kafka_queue_destroy(self.0) }
    }
}

/// The answer.
struct Event(*mut c::rd_kafka_event_t);

impl Event {
    fn topics(&self) -> Result<Vec<DescribedTopic>, KafkaError> {
        // SAFETY: the event is alive, and owns everything that is read from it here; each array
        // has the length that comes with it.
        unsafe {
            checked(c::rd_kafka_event_error(self.0))?;
            if c::rd_kafka_event_type(self.0) != c::RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT {
                return Err(KafkaError::AdminOp(RDKafkaErrorCode::BadMessage));
            }
            let result = c::rd_kafka_event_DescribeTopics_result(self.0);
            let mut count = 0;
            let topics = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            if topics.is_null() || count == 0 {
                return Ok(Vec::new());
            }
            slice::from_raw_parts(topics, count)
                .iter()
                .map(|topic| described(*topic))
                .collect()
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it is ours, and used by nobody after this.
        unsafe { c::rd_kafka_event_destroy(self.0) }
    }
}

/// # Safety
/// The description belongs to an event that is alive.
unsafe fn described(
    topic: *const c::rd_kafka_TopicDescription_t,
) -> Result<DescribedTopic, KafkaError> {
    // SAFETY: as promised by the caller; an id and its text live as long as the description.
    unsafe {
        let error = c::rd_kafka_TopicDescription_error(topic);
        if !error.is_null() {
            checked(c::rd_kafka_error_code(error))?;
        }
        let id = c::rd_kafka_TopicDescription_topic_id(topic);
        let none = c::rd_kafka_Uuid_most_significant_bits(id) == 0
            && c::rd_kafka_Uuid_least_significant_bits(id) == 0;
        let mut partitions = 0;
        c::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        Ok(DescribedTopic {
            name: text(c::rd_kafka_TopicDescription_name(topic)),
            id: (!none).then(|| text(c::rd_kafka_Uuid_base64str(id))),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        })
    }
}

/// # Safety
/// A text that ends in a zero, or null.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(pointer) }
        .to_string_lossy()
        .into_owned()
}

fn checked(code: RDKafkaRespErr) -> Result<(), KafkaError> {
    if code.is_error() {
        Err(KafkaError::AdminOp(code.into()))
    } else {
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
