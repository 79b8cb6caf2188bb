// Lists that go on: everything that becomes visible, once and in order, over connections that end.

import { EventStreamParser, type Frame } from "./event-stream.ts";
import { RefusedError } from "./outcome.ts";
import { pause } from "./retries.ts";
import type { Answer, Input, Name } from "./types.ts";

/** The lists that can be followed, by the operation that reads them. */
const FOLLOWED = [
  "listOrders",
  "readTimeline",
  "listInvitations",
  "readBonusLedger",
  "listProjections",
] as const satisfies readonly Name[];

/** The name of a list that can be followed. */
export type Followed = (typeof FOLLOWED)[number];

/** An item of a list. */
export type ItemOf<N extends Followed> =
  Answer<N> extends infer A ? (A extends { data: { items: (infer T)[] } } ? T : never) : never;

/** What a followed list tells. */
export type Change<T> =
  /** An item as the list would show it now; it takes the place of an earlier one of its own id. `id` is
   * what to go on from after a stop: empty before there is anything, and that of an earlier change
   * where more belongs to this one. */
  | { type: "item"; id: string; item: T }
  /** Everything that was there when the stream began, or was resumed, has been told. */
  | { type: "caughtUp"; id: string }
  /** The server has another history, or cannot go on from here: read the list anew, and follow it
   * from its position. Nothing comes after this. */
  | { type: "reset" }
  /** Something that this client was not made for. */
  | { type: "unknown"; event: string; data: unknown; id: string };

/** Where following begins; now, unless it says so. */
export interface From {
  /** After this position: the `position` of a list's answer, or the id of a change. */
  after?: string;
  /** At this instant, inclusive. */
  since?: string;
}

/** What a followed list is asked with. A stream has no pages and no filters: what leaves a filter
 * would not be told. Of a ledger there may be said in which role it was earned. */
export type FollowInput<N extends Followed> = Omit<Input<N>, "query" | "ifNoneMatch" | "minPosition"> &
  Begin<N> &
  (N extends "readBonusLedger" ? { query?: { role?: QueryOf<N> } } : unknown);

/** The readers of the feed have no past to begin in. */
type Begin<N extends Followed> = N extends "listProjections" ? Omit<From, "since"> : From;

type QueryOf<N extends Followed> =
  Input<N> extends { query?: infer Q } ? (NonNullable<Q> extends { role?: infer R } ? R : never) : never;

/** A method for each list that can be followed. */
export type Follow = {
  [N in Followed]: {} extends FollowInput<N>
    ? (input?: FollowInput<N>) => AsyncGenerator<Change<ItemOf<N>>, void, undefined>
    : (input: FollowInput<N>) => AsyncGenerator<Change<ItemOf<N>>, void, undefined>;
};

/** The server says something every 15 s; who is silent for three times as long is gone. */
const SILENCE_MS = 45_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;
/** How often in a row a stream may turn out to lack something before it is given up for a reset. */
const MOST_GAPS = 3;

/** Sends a request; undefined if no answer came. */
type Send = (
  name: string,
  input: unknown,
  headers: Record<string, string>,
  signal: AbortSignal,
) => Promise<Response | undefined>;

type AnyInput = From & { signal?: AbortSignal; query?: object };

/** What is known of a stream over all of its connections. */
interface Progress {
  /** The id to go on from, which the next frame must name as the one before it. */
  after: string | undefined;
  /** Connections that ended without a frame, one after the other. */
  failures: number;
  gaps: number;
  /** How long the server wants us to wait. */
  retryMs: number;
}

/** Makes the methods of `follow`. */
export class Follower {
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  methods(): Follow {
    const methods = FOLLOWED.map((name) => {
      return [name, (input: AnyInput = {}) => this.#follow(name, input)];
    });
    return Object.fromEntries(methods);
  }

  async *#follow(name: Followed, input: AnyInput): AsyncGenerator<Change<unknown>, void, undefined> {
    const { after, signal } = input;
    const progress: Progress = { after, failures: 0, gaps: 0, retryMs: 0 };
    while (true) {
      const ended = yield* this.#connection(name, input, progress);
      if (ended === "reset") return;
      await pause(pauseOf(progress), signal);
      progress.failures += 1;
    }
  }

  /** One connection, until it ends. That no answer comes, or that its body breaks off, ends it;
   * whatever else goes wrong is the caller's to know. */
  async *#connection(
    name: Followed,
    input: AnyInput,
    progress: Progress,
  ): AsyncGenerator<Change<unknown>, "ended" | "reset", undefined> {
    const given = input.signal;
    const silence = new Silence();
    const signal = given ? AbortSignal.any([given, silence.signal]) : silence.signal;
    try {
      const response = await this.#open(name, input, progress, signal);
      if (response === undefined) return "ended";
      const parser = new EventStreamParser((milliseconds) => {
        progress.retryMs = Math.min(milliseconds, LONGEST_PAUSE_MS);
      });
      for await (const bytes of chunks(response, signal)) {
        silence.broken();
        for (const frame of parser.push(bytes)) {
          const change = understand(frame, progress);
          if (change === "ended") return "ended";
          // Only a caller that is back reads on: a slow one is no silent server.
          silence.pause();
          yield change;
          silence.broken();
          if (change.type === "reset") return "reset";
        }
      }
      return "ended";
    } finally {
      silence.pause();
      // Whoever stops listening in the middle ends the connection too.
      silence.end();
    }
  }

  /** The answer with the stream, or undefined if it is worth to try again. */
  async #open(
    name: Followed,
    input: AnyInput,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Response | undefined> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    const { after } = progress;
    const begin = after === undefined && input.since !== undefined ? { since: input.since } : {};
    const query = { ...input.query, ...begin };
    if (after !== undefined) headers["last-event-id"] = after;
    const response = await this.#send(name, { ...input, query }, headers, signal);
    if (response === undefined) return undefined;
    const type = response.headers.get("content-type") ?? "";
    if (response.ok && type.startsWith("text/event-stream")) return response;
    const problem = await response.json().catch(() => undefined);
    const code = typeof problem?.code === "string" ? problem.code : "unknown";
    const { status } = response;
    if (code === "POSITION_FOREIGN" || (status >= 400 && problem?.retryable !== true && status < 502)) {
      throw new RefusedError({ ok: false, status, code, problem });
    }
    if (response.ok) {
      const why = { detail: `the answer is ${type || "of no type"}, and no stream` };
      throw new RefusedError({ ok: false, status, code: "unknown", problem: why });
    }
    return undefined;
  }
}

/** What the data of a frame may have. */
interface Members {
  prev?: unknown;
  item?: unknown;
}

/** What a frame means, and what is known after it; `ended` if this connection is of no use. */
function understand(frame: Frame, progress: Progress): Change<unknown> | "ended" {
  progress.failures = 0;
  const { event, id } = frame;
  if (event === "reset") return { type: "reset" };
  if (event === "moved") return "ended";
  const data: unknown = JSON.parse(frame.data);
  const members = typeof data === "object" && data !== null ? (data as Members) : undefined;
  const known = members !== undefined && (event === "message" || event === "caught-up");
  // A frame without an id of its own bears the one before it, and is no step of the stream.
  const step = known || (id !== "" && id !== progress.after);
  if (step && progress.after !== undefined && members?.prev !== progress.after) {
    // Something fell out between the last frame and this one: go back to the last one.
    progress.gaps += 1;
    return progress.gaps > MOST_GAPS ? { type: "reset" } : "ended";
  }
  if (step) {
    progress.gaps = 0;
    // Where more belongs to one event, only the last of it has an id to go on from.
    if (id !== "") progress.after = id;
  }
  if (!known) return { type: "unknown", event, data, id };
  if (event === "caught-up") return { type: "caughtUp", id };
  return { type: "item", id: progress.after ?? "", item: members.item };
}

function pauseOf({ failures, retryMs }: Progress): number {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
  return Math.max(retryMs, longest * (0.5 + Math.random() / 2));
}

/** The pieces of a body, as they come, until it breaks off or the signal ends them. */
async function* chunks(
  response: Response,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  // Not every `fetch` ends a body with the signal of its request.
  const end = () => void reader.cancel(signal.reason).catch(() => {});
  signal.addEventListener("abort", end, { once: true });
  try {
    while (true) {
      const piece = await reader.read().catch(() => undefined);
      if (piece === undefined || piece.done) return;
      yield piece.value;
    }
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

/** Ends a connection on which nothing is heard. */
class Silence {
  readonly #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.broken();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  broken(): void {
    this.pause();
    this.#timer = setTimeout(() => this.end(), SILENCE_MS);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.#controller.abort(new Error("nothing was heard"));
  }
}
