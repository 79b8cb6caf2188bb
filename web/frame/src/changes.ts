// Which orders move, told to every tab of a browser by one stream. The tab that holds a lock listens
// and tells the others; when it closes, the browser gives the lock to the next, which goes on after
// the last that was told.

import { RefusedError, type Atlas } from "@artisan-atlas/sdk";

/** What tabs tell one another. */
type Told =
  /** An order moved. */
  | { what: "moved"; orderId: string; id: string }
  /** Everything is told from here on. */
  | { what: "listening"; id: string }
  /** The log is another one: nothing is known to be as it was. */
  | { what: "anew" }
  /** A tab that has just begun asks whether anybody listens. */
  | { what: "anybody" };

/** Where changes come from. */
type Source = Pick<Atlas["follow"], "listOrders">;

/** The changes of the orders that somebody may see. */
export class Changes {
  readonly #name: string;
  readonly #source: Source;
  readonly #ending = new AbortController();
  readonly #ears = new Set<Ear>();
  #channel: BroadcastChannel | undefined;
  /** The last id that was told, after which a stream goes on. */
  #after: string | undefined;
  #listening = false;
  #leads = false;
  #refused: unknown;

  /** `name` is the same in tabs that are to share a stream: those of one person. */
  constructor(name: string, source: Source) {
    this.#name = `artisan-atlas-changes ${name}`;
    this.#source = source;
  }

  /** Says something when the order moves, or any if none is named, and once when it begins to tell.
   * Moves that come together may be told as one. Ends when the log is another one. */
  async *hear(signal: AbortSignal, orderId?: string): AsyncGenerator<void, void, undefined> {
    const ear = new Ear(orderId);
    this.#ears.add(ear);
    const wake = () => ear.wake();
    signal.addEventListener("abort", wake, { once: true });
    this.#begin();
    if (this.#listening) ear.wake();
    try {
      while (true) {
        await ear.woken();
        if (signal.aborted || ear.anew) return;
        if (this.#refused !== undefined) throw this.#refused;
        yield;
      }
    } finally {
      signal.removeEventListener("abort", wake);
      this.#ears.delete(ear);
    }
  }

  /** Leaves listening to others. */
  end(): void {
    this.#ending.abort();
    this.#channel?.close();
  }

  #begin(): void {
    if (this.#channel !== undefined || this.#ending.signal.aborted) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#heard(data as Told);
    this.#post({ what: "anybody" });
    void this.#takeTurn();
  }

  /** Listens once it is this tab's turn, until the tab ends or is refused. */
  async #takeTurn(): Promise<void> {
    const { signal } = this.#ending;
    try {
      // Pages of an unsafe origin have no locks: each then listens for itself.
      if (navigator.locks === undefined) await this.#lead();
      else await navigator.locks.request(this.#name, { signal }, () => this.#lead());
    } catch (error) {
      if (!signal.aborted) this.#refuse(error);
    }
  }

  async #lead(): Promise<void> {
    const { signal } = this.#ending;
    this.#leads = true;
    try {
      while (!signal.aborted) {
        await this.#listen(signal);
        this.#after = undefined;
        this.#tell({ what: "anew" });
      }
    } finally {
      this.#leads = false;
    }
  }

  /** Tells what a stream tells, until the log is another one. */
  async #listen(signal: AbortSignal): Promise<void> {
    const after = this.#after === undefined ? {} : { after: this.#after };
    try {
      for await (const change of this.#source.listOrders({ ...after, signal })) {
        const { type } = change;
        if (type === "item") this.#tell({ what: "moved", orderId: change.item.orderId, id: change.id });
        else if (type === "caughtUp") this.#tell({ what: "listening", id: change.id });
      }
    } catch (error) {
      if (!isForeign(error)) throw error;
    }
  }

  #tell(told: Told): void {
    this.#post(told);
    this.#heard(told);
  }

  #post(told: Told): void {
    this.#channel?.postMessage(told);
  }

  #heard(told: Told): void {
    switch (told.what) {
      case "moved":
        this.#after = told.id;
        for (const ear of this.#ears) if (ear.minds(told.orderId)) ear.wake();
        return;
      case "listening":
        this.#after = told.id;
        if (!this.#listening) for (const ear of this.#ears) ear.wake();
        this.#listening = true;
        return;
      case "anew":
        this.#listening = false;
        for (const ear of this.#ears) ear.begin();
        return;
      case "anybody":
        if (this.#leads && this.#listening && this.#after !== undefined) {
          this.#post({ what: "listening", id: this.#after });
        }
    }
  }

  #refuse(error: unknown): void {
    this.#refused = error;
    for (const ear of this.#ears) ear.wake();
  }
}

/** Whether a position is of another log than there is now. */
function isForeign(error: unknown): boolean {
  return error instanceof RefusedError && (error.refusal as { code?: string }).code === "POSITION_FOREIGN";
}

/** One panel that wants to know. */
class Ear {
  /** Whether the log became another one. */
  anew = false;
  readonly #orderId: string | undefined;
  #woken = false;
  #go: (() => void) | undefined;

  constructor(orderId: string | undefined) {
    this.#orderId = orderId;
  }

  minds(orderId: string): boolean {
    return this.#orderId === undefined || this.#orderId === orderId;
  }

  wake(): void {
    this.#woken = true;
    this.#go?.();
  }

  begin(): void {
    this.anew = true;
    this.wake();
  }

  async woken(): Promise<void> {
    if (!this.#woken) await new Promise<void>((resolve) => (this.#go = resolve));
    this.#woken = false;
  }
}
