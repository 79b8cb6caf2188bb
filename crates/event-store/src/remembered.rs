//! What the process remembers of streams that commands only look at, so that a command which begins
//! a stream of its own needs no load.
//!
//! Nothing is true because it is remembered. Only an acceptance may rest on it, and the append that
//! follows proves the version of every stream that it rests on; a refusal is decided on a load.

use std::collections::HashMap;
use std::mem::size_of;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{LoadedStream, StoredEvent, StreamId};

/// How much is remembered, in bytes. When it is full, everything is forgotten: what is asked for
/// again is there with the next load.
const ROOM: usize = 8 << 20;
/// A longer stream is not remembered, in bytes.
const LARGEST: usize = 64 << 10;

/// Streams as they were when they were last loaded.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    by_id: HashMap<StreamId, LoadedStream>,
    bytes: usize,
}

impl Remembered {
    /// These streams, in this order, if all of them are remembered.
    pub(crate) fn recall(&self, ids: &[StreamId]) -> Option<Vec<LoadedStream>> {
        let streams = self.lock();
        ids.iter()
            .map(|id| streams.by_id.get(id).cloned())
            .collect()
    }

    /// Remembers streams as they were loaded.
    pub(crate) fn keep(&self, loaded: &[LoadedStream]) {
        let mut streams = self.lock();
        for stream in loaded {
            streams.keep(stream);
        }
    }

    /// Forgets streams that have moved on.
    pub(crate) fn forget(&self, ids: &[StreamId]) {
        let mut streams = self.lock();
        for id in ids {
            streams.forget(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    fn keep(&mut self, stream: &LoadedStream) {
        self.forget(&stream.id);
        let bytes = held_bytes(stream);
        if bytes > LARGEST {
            return;
        }
        if self.bytes + bytes > ROOM {
            *self = Self::default();
        }
        self.bytes += bytes;
        self.by_id.insert(stream.id.clone(), stream.clone());
    }

    fn forget(&mut self, id: &StreamId) {
        if let Some(stream) = self.by_id.remove(id) {
            self.bytes -= held_bytes(&stream);
        }
    }
}

/// What a stream takes in memory: its texts, and the places that hold them.
fn held_bytes(stream: &LoadedStream) -> usize {
    size_of::<LoadedStream>() + stream.bytes() + stream.events.len() * size_of::<StoredEvent>()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use chrono::DateTime;
    use kernel::EventId;
    use uuid::Uuid;

    use super::*;
    use crate::{Position, StoredJson, Version};

    fn stream(name: usize, bytes: usize) -> LoadedStream {
        let id = StreamId::from_parts(StreamId::WORKSHOP, name.to_string());
        let event = StoredEvent {
            position: Position::new(1),
            event_id: EventId::from_uuid(Uuid::nil()),
            stream: id.clone(),
            version: Version::new(1),
            event_type: "WorkshopRegistered".to_owned(),
            event_version: "1.0".to_owned(),
            payload: StoredJson::default(),
            raw_metadata: StoredJson::default(),
            recorded_at: DateTime::UNIX_EPOCH,
            bytes,
        };
        LoadedStream {
            id,
            events: vec![event],
        }
    }

    #[test]
    fn all_or_none_of_the_streams_are_recalled_in_the_order_asked_for() {
        let remembered = Remembered::default();
        let (one, two, three) = (stream(1, 10), stream(2, 10), stream(3, 10));
        remembered.keep(&[one.clone(), two.clone()]);
        let ids = [two.id.clone(), one.id.clone()];
        assert_eq!(
            remembered.recall(&ids),
            Some(vec![two.clone(), one.clone()])
        );
        assert_eq!(remembered.recall(&[one.id.clone(), three.id]), None);
        remembered.forget(from_ref(&one.id));
        assert_eq!(remembered.recall(&[one.id]), None);
        assert_eq!(remembered.recall(from_ref(&two.id)), Some(vec![two]));
    }

    #[test]
    fn the_room_is_bounded_in_bytes() {
        let remembered = Remembered::default();
        for name in 0..10_000 {
            remembered.keep(&[stream(name, 5_000)]);
            let streams = remembered.lock();
            let held: usize = streams.by_id.values().map(held_bytes).sum();
            assert!(held <= ROOM && held == streams.bytes, "{held}");
        }
        let last = stream(9_999, 5_000);
        assert_eq!(remembered.recall(from_ref(&last.id)), Some(vec![last]));
    }

    #[test]
    fn a_long_stream_is_not_remembered_nor_what_it_was_before() {
        let remembered = Remembered::default();
        let (short, long) = (stream(1, 10), stream(1, LARGEST));
        remembered.keep(from_ref(&short));
        remembered.keep(&[long]);
        assert_eq!(remembered.recall(&[short.id]), None);
    }
}
