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

/** Something read from the API, and how well it is known. */
export class Live<R extends Ended> {
  /** What was read last. It stays while it is read again, and when that fails. */
  data = $state<DataOf<R>>();
  /** Why the last reading failed. */
  refusal = $state<{ code: string; status: number; problem: unknown }>();
  /** When it was read, by this machine's clock. */
  at = $state<Date>();
  /** How old it was then, in seconds. */
  lagSeconds = $state(0);
  /** Whether changes are told as they happen. */
  live = $state(false);
  /** Counts what was read. */
  reads = $state(0);
  readonly #ending: AbortSignal;
  readonly #read: (signal: AbortSignal) => Promise<R>;
  #next: ReturnType<typeof setTimeout> | undefined;
  #reading = false;
  #wanted = false;

  /** Reads with `read`, again after each change of `follow`, until the signal ends it. */
  constructor(
    ending: AbortSignal,
    read: (signal: AbortSignal) => Promise<R>,
    follow?: (signal: AbortSignal) => AsyncIterable<unknown>,
  ) {
    this.#ending = ending;
    this.#read = read;
    void this.again();
    if (follow !== undefined) void this.#follow(follow);
    ending.addEventListener("abort", () => clearTimeout(this.#next), { once: true });
  }

  /** Reads again now; what is wanted while it is read is read once more. */
  async again(): Promise<void> {
    this.#wanted = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#wanted && !this.#ending.aborted) {
      this.#wanted = false;
      try {
        this.#show(await this.#read(this.#ending));
      } catch (problem) {
        if (!this.#ending.aborted) this.refusal = { code: "unanswered", status: 0, problem };
      }
    }
    this.#reading = false;
    this.#in(this.live ? REFRESH_MS : POLL_MS);
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

  #in(milliseconds: number): void {
    clearTimeout(this.#next);
    if (!this.#ending.aborted) this.#next = setTimeout(() => void this.again(), milliseconds);
  }

  async #follow(follow: (signal: AbortSignal) => AsyncIterable<unknown>): Promise<void> {
    try {
      while (!this.#ending.aborted) {
        // The first frame says that the stream is there: what came before it is read after it.
        for await (const _ of follow(this.#ending)) {
          this.live = true;
          this.#in(GATHER_MS);
        }
        // Another history, or a server that cannot go on: read anew, and follow from there.
        this.live = false;
        await this.again();
      }
    } catch (error) {
      // Refused for good: from here on it is read now and again.
      this.live = false;
      if (!this.#ending.aborted && !(error instanceof RefusedError)) throw error;
    }
  }
}
