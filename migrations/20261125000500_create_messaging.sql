-- What is known of the Kafka that the messages went to. A checkpoint of the relay says what was
-- sent, and says it of one cluster and its topics: on another cluster, or on topics made anew, the
-- same messages are missing. Here is written down which ones they were; the relay sends to no
-- others until an operator accepts them.

CREATE SCHEMA ops;
GRANT USAGE ON SCHEMA ops TO atlas_app;

CREATE TABLE ops.kafka_topics (
    topic       text        PRIMARY KEY,
    cluster_id  text        NOT NULL,
    topic_id    text,
    partitions  integer     NOT NULL CHECK (partitions > 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted    boolean     NOT NULL DEFAULT false
);
GRANT SELECT, INSERT, UPDATE ON ops.kafka_topics TO atlas_app;

COMMENT ON TABLE ops.kafka_topics IS 'The Kafka topics that the relay''s checkpoint speaks of.';
COMMENT ON COLUMN ops.kafka_topics.topic_id IS
    'In base64, as Kafka''s own tools show it; none where the broker is too old to have one.';
COMMENT ON COLUMN ops.kafka_topics.recorded_at IS 'When it was first seen, or else accepted.';
COMMENT ON COLUMN ops.kafka_topics.accepted IS
    'Whether an operator accepted it as it is (projector topics accept).';
