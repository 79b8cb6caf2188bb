// Our parser of server-sent events beside Chromium's own, on the same bytes cut at random.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import { EventStreamParser, type Frame } from "../sdk/src/index.ts";
import { launch } from "./browser.ts";

const ROUNDS = 60;
/** What streams are made of: everything that the format gives a meaning, and what it does not. */
const PIECES = [
  "data: a", "data:b", "data", "data:  two", "data: é\u{1F6E0}", "data: x:y", "event: add", "event:",
  "event: remove", "id: 1", "id: 2\u0000", "id", ": comment", "retry: 10000", "unknown: field",
  "\uFEFFdata: mark", " data: space", "",
];
const ENDS = ["\n", "\r\n", "\r"];
const NAMES = ["message", "add", "remove"];

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

function any<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)] as T;
}

function stream(): Uint8Array {
  let text = "";
  for (let line = 0; line < 60; line += 1) {
    text += any(PIECES) + any(ENDS);
    if (Math.random() < 0.3) text += any(ENDS);
  }
  return new TextEncoder().encode(`${text}\n\ndata: the end\n\n`);
}

function cut(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + Math.floor(Math.random() ** 2 * 30);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

/** What a page has an event source tell, until the end. */
const LISTEN = (names: string[]) => `new Promise((resolve) => {
  const frames = [];
  const source = new EventSource("/events");
  for (const name of ${JSON.stringify(names)}) {
    source.addEventListener(name, (event) => {
      frames.push({ event: event.type, data: event.data, id: event.lastEventId });
      if (event.data === "the end") { source.close(); resolve(frames); }
    });
  }
})`;

test("reads what Chromium reads", async () => {
  let bytes: Uint8Array = new Uint8Array();
  const server = createServer(async (request, response) => {
    if (request.url !== "/events") return response.end("<!doctype html>");
    response.setHeader("content-type", "text/event-stream");
    for (const piece of cut(bytes)) {
      response.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  let compared = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    bytes = stream();
    const theirs = (await page.evaluate(LISTEN(NAMES))) as Frame[];
    const parser = new EventStreamParser();
    const ours = cut(bytes).flatMap((piece) => parser.push(piece));
    assert.deepEqual(ours, theirs, JSON.stringify(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)));
    compared += ours.length;
  }
  assert.ok(compared > ROUNDS * 5, `${compared} events`);
  await page.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
