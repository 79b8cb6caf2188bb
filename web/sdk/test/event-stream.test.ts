// The format of server-sent events: what the HTML standard says, however the bytes are cut.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventStreamParser, type Frame } from "../src/index.ts";

/** Examples of the HTML standard, section 9.2.6, and what they are dispatched as. */
const EXAMPLES: [text: string, frames: Frame[]][] = [
  ["data: YHOO\ndata: +2\ndata: 10\n\n", [frame("YHOO\n+2\n10")]],
  [
    ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
    [frame("first event", "1"), frame("second event"), frame(" third event")],
  ],
  ["data\n\ndata\ndata\n\ndata:", [frame(""), frame("\n")]],
  ["data:test\n\ndata: test\n\n", [frame("test"), frame("test")]],
  ["event: add\r\ndata: 1\r\n\r\nevent: remove\rdata: 2\r\rdata: 3\n\n", [
    frame("1", "", "add"),
    frame("2", "", "remove"),
    frame("3"),
  ]],
  ["\uFEFFid: a\ndata: é\u{1F6E0}\n\nid: b\0\ndata: x\n\nevent: lost\n\ndata: y\n\n", [
    frame("é\u{1F6E0}", "a"),
    frame("x", "a"),
    frame("y", "a"),
  ]],
];

function frame(data: string, id = "", event = "message"): Frame {
  return { event, data, id };
}

function parse(pieces: Uint8Array[]): Frame[] {
  const parser = new EventStreamParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

test("reads what the standard has as examples", () => {
  for (const [text, frames] of EXAMPLES) {
    assert.deepEqual(parse([new TextEncoder().encode(text)]), frames, JSON.stringify(text));
  }
});

test("reads the same however the bytes are cut", () => {
  const bytes = new TextEncoder().encode(EXAMPLES.map(([text]) => `${text}\n\n`).join(""));
  const whole = parse([bytes]);
  assert.ok(whole.length > 12);
  for (let round = 0; round < 2_000; round += 1) {
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(Math.random() ** 3 * 40);
      pieces.push(bytes.subarray(at, end));
      at = end;
    }
    assert.deepEqual(parse(pieces), whole, `cut at ${pieces.map((piece) => piece.length)}`);
  }
});

test("an event that the end cuts off is none", () => {
  assert.deepEqual(parse([new TextEncoder().encode("data: a\n\ndata: b\n")]), [frame("a")]);
});

test("tells how long the server wants clients to wait", () => {
  const told: number[] = [];
  const parser = new EventStreamParser((milliseconds) => told.push(milliseconds));
  parser.push(new TextEncoder().encode("retry: 250\nretry: soon\nretry:\n"));
  assert.deepEqual(told, [250]);
});
