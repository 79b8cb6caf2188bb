"""A consumer that knows our topics by asyncapi.json and the schemas beside it, and by nothing else.

    consumer.py ASYNCAPI BROKERS

It reads every channel that is a topic to its end, holds each message against the message of the
document that bears its type - headers, key and payload - and prints how many there were of each event.
The first message that is not as the document says ends it with 1.
"""

import json
import pathlib
import sys
from collections import Counter

import jsonschema_rs
from kafka import KafkaConsumer, TopicPartition

PATIENCE_MS = 30_000


class Document:
    """The AsyncAPI document, and the files that it refers to."""

    def __init__(self, path):
        self.folder = pathlib.Path(path).parent
        self.content = json.loads(pathlib.Path(path).read_text())

    def resolved(self, value):
        reference = value.get("$ref")
        if reference is None:
            return value
        file, _, pointer = reference.partition("#")
        found = json.loads((self.folder / file).read_text()) if file else self.content
        for part in pointer.strip("/").split("/"):
            if part:
                found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def topics(self):
        channels = self.content["channels"].values()
        return [channel for channel in channels if "kafka" in channel.get("bindings", {})]


def validator(schema):
    return jsonschema_rs.validator_for(schema, validate_formats=True)


class Kind:
    """A message of the document, as it is told from others and what it has to be."""

    def __init__(self, document, message):
        headers = document.resolved(message["headers"])
        self.name = message["name"]
        self.constants = {
            name: schema["const"]
            for name, schema in headers["properties"].items()
            if "const" in schema
        }
        self.headers = validator(headers)
        self.payload = validator(document.resolved(message["payload"]))
        self.key = validator(message["bindings"]["kafka"]["key"])

    def is_of(self, headers):
        return all(headers.get(name) == value for name, value in self.constants.items())

    def check(self, headers, record):
        payload = json.loads(record.value)
        for what, schema, value in [
            ("headers", self.headers, headers),
            ("payload", self.payload, payload),
            ("key", self.key, record.key.decode()),
        ]:
            for error in schema.iter_errors(value):
                raise SystemExit(f"{self.name}: {what}: {error}")


def records(topic, brokers):
    consumer = KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    partitions = [TopicPartition(topic, each) for each in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    while any(consumer.position(each) < ends[each] for each in partitions):
        polled = consumer.poll(timeout_ms=PATIENCE_MS)
        if not polled:
            raise SystemExit(f"{topic}: nothing came any more")
        for batch in polled.values():
            yield from batch
    consumer.close()


def main(path, brokers):
    document = Document(path)
    counts = Counter()
    for channel in document.topics():
        messages = channel["messages"].values()
        kinds = [Kind(document, document.resolved(message)) for message in messages]
        for record in records(channel["address"], brokers):
            headers = {name: value.decode() for name, value in record.headers}
            fitting = [kind for kind in kinds if kind.is_of(headers)]
            if len(fitting) != 1:
                raise SystemExit(f"{channel['address']}: {headers} is no message of the document")
            fitting[0].check(headers, record)
            counts[fitting[0].name] += 1
    print(json.dumps(counts))


main(*sys.argv[1:])
