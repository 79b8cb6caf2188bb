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
  readonly #read: (signal: AbortSignal) => Promise<R>;
  #again: ReturnType<typeof setTimeout> | undefined;
  #reading = false;
  #wanted = false;

  /** Reads with `read`, again after each change of `follow`, until the signal ends it. */
  constructor(
    signal: AbortSignal,
    read: (signal: AbortSignal) => Promise<R>,
    follow?: (signal: AbortSignal) => AsyncIterable<unknown>,
  ) {
    this.#read = read;
    void this.#load(signal);
    void this.#follow(signal, follow);
    signal.addEventListener("abort", () => clearTimeout(this.#again), { once: true });
  }

  /** Reads again now. */
  async again(signal: AbortSignal = AbortSignal.timeout(20_000)): Promise<void> {
    await this.#load(signal);
  }

  async #load(signal: AbortSignal): Promise<void> {
    if (this.#reading) {
      this.#wanted = true;
      return;
    }
    this.#reading = true;
    try {
      do {
        this.#wanted = false;
        this.#show(await this.#read(signal));
      } while (this.#wanted && !signal.aborted);
    } catch (problem) {
      if (!signal.aborted) this.refusal = { code: "unanswered", status: 0, problem };
    } finally {
      this.#reading = false;
    }
    if (!signal.aborted) this.#after(signal, this.live ? REFRESH_MS : POLL_MS);
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

  #after(signal: AbortSignal, milliseconds: number): void {
    clearTimeout(this.#again);
    if (!signal.aborted) this.#again = setTimeout(() => void this.#load(signal), milliseconds);
  }

  async #follow(
    signal: AbortSignal,
    follow: ((signal: AbortSignal) => AsyncIterable<unknown>) | undefined,
  ): Promise<void> {
    if (follow === undefined) return;
    try {
      for await (const _ of follow(signal)) {
        this.live = true;
        this.#after(signal, GATHER_MS);
      }
    } catch (error) {
      // Refused for good: from here on it is read now and again.
      if (!signal.aborted && !(error instanceof RefusedError)) throw error;
    }
    this.live = false;
  }
}
