// What a panel shows: read once, and again whenever something happened.

import { RefusedError } from "@artisan-atlas/sdk";

/** How long after a change is read again: many that come together are one. */
const GATHER_MS = 50;
/** How often is read again where nothing tells of changes. */
const POLL_MS = 3_000;
/** How often a live panel is read again all the same, for what time alone changes. */
const REFRESH_MS = 60_000;

/** What any result looks like. */
interface Ended {
  ok: boolean;
  status: number;
}

type DataOf<R> = Extract<R, { ok: true }> extends { data: infer D } ? NonNullable<D> : never;

/** What tells of changes: something for each, or for several together. */
type Follow = (signal: AbortSignal) => AsyncIterable<unknown>;

/** Something read from the API, and how well it is known. */
export class Live<R extends Ended> {
  /** What was read last. It stays while it is read again, and when that fails. */
  data = $state.raw<DataOf<R>>();
  /** Why the last reading failed. */
  refusal = $state.raw<{ code: string; status: number; problem: unknown }>();
  /** When it was read, by this machine's clock. */
  at = $state.raw<Date>();
  /** How old it was then, in seconds. */
  lagSeconds = $state(0);
  /** Whether changes are told as they happen. */
  live = $state(false);
  /** Counts what was read. */
  reads = $state(0);
  /** Whether it is being read at this moment. */
  reading = $state(false);
  /** Whether it is read again only when somebody wants it. */
  readonly once: boolean;
  readonly #ending: AbortSignal;
  readonly #read: (signal: AbortSignal) => Promise<R>;
  #next: { timer: ReturnType<typeof setTimeout>; due: number } | undefined;
  #wanted = false;

  /** Reads with `read` until the signal ends it: again after each change of `follow`, now and again
   * without it, or `once`, where reading costs much. */
  constructor(
    ending: AbortSignal,
    read: (signal: AbortSignal) => Promise<R>,
    follow?: Follow | "once",
  ) {
    this.#ending = ending;
    this.#read = read;
    this.once = follow === "once";
    void this.again();
    if (typeof follow === "function") void this.#follow(follow);
    ending.addEventListener("abort", () => clearTimeout(this.#next?.timer), { once: true });
  }

  /** Reads again now; what is wanted while it is read is read once more. */
  async again(): Promise<void> {
    this.#wanted = true;
    if (this.reading) return;
    this.reading = true;
    this.#forget();
    while (this.#wanted && !this.#ending.aborted) {
      this.#wanted = false;
      try {
        this.#show(await this.#read(this.#ending));
      } catch (problem) {
        if (!this.#ending.aborted) this.refusal = { code: "unanswered", status: 0, problem };
      }
    }
    this.reading = false;
    const known = this.live && this.refusal === undefined;
    if (!this.once) this.#within(known ? REFRESH_MS : POLL_MS);
  }

  #show(result: R): void {
    if (result.ok) {
      const { data, headers } = result as unknown as {
        data: DataOf<R>;
        headers: { lagSeconds?: number };
      };
      this.data = data;
      this.lagSeconds = headers.lagSeconds ?? 0;
      this.at = new Date();
      this.refusal = undefined;
    } else {
      this.refusal = result as unknown as { code: string; status: number; problem: unknown };
    }
    this.reads += 1;
  }

  /** Reads again within so long. What is due sooner stays so: changes that never cease put nothing
   * off. */
  #within(milliseconds: number): void {
    const due = Date.now() + milliseconds;
    if (this.#ending.aborted || (this.#next !== undefined && this.#next.due <= due)) return;
    this.#forget();
    // Whether or not it is being read then, this is no longer to come.
    const timer = setTimeout(() => {
      this.#next = undefined;
      void this.again();
    }, milliseconds);
    this.#next = { timer, due };
  }

  #forget(): void {
    clearTimeout(this.#next?.timer);
    this.#next = undefined;
  }

  async #follow(follow: Follow): Promise<void> {
    try {
      while (!this.#ending.aborted) {
        // The first word says that the stream is there: what came before it is read after it.
        for await (const _ of follow(this.#ending)) {
          this.live = true;
          this.#within(GATHER_MS);
        }
        // Another history, or a server that cannot go on: read anew, and follow from there.
        this.live = false;
        await this.again();
      }
    } catch (error) {
      // Refused for good: from here on it is read now and again.
      this.live = false;
      this.#within(POLL_MS);
      if (!this.#ending.aborted && !(error instanceof RefusedError)) throw error;
    }
  }
}
