// The format of server-sent events, read from bytes that come in any pieces.

/** One event, or the comment that says that the server is there. */
export interface Frame {
  /** What the event is called; `message` unless it says so. */
  event: string;
  /** What it carries. */
  data: string;
  /** The id that was given last, with this event or before it. */
  id: string;
}

/** Reads a stream piece by piece, as the HTML standard has it. */
export class EventStreamParser {
  readonly #decoder = new TextDecoder("utf-8");
  readonly #onRetry: (milliseconds: number) => void;
  /** The line that has not ended yet; all of it has been looked at. */
  #rest = "";
  #afterReturn = false;
  #data: string[] = [];
  #event = "";
  #id = "";

  /** `onRetry` is told how long the server wants clients to wait before they come again. */
  constructor(onRetry: (milliseconds: number) => void = () => {}) {
    this.#onRetry = onRetry;
  }

  /** The events that this piece completes. */
  push(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    const looked = this.#rest.length;
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    let begin = 0;
    for (let at = looked; at < text.length; at += 1) {
      const each = text[at];
      const second = this.#afterReturn && at === begin && each === "\n";
      this.#afterReturn = false;
      if (second) {
        // The end of a line that ended in the two characters CR LF.
        begin = at + 1;
      } else if (each === "\n" || each === "\r") {
        const frame = this.#line(text.slice(begin, at));
        if (frame !== undefined) frames.push(frame);
        this.#afterReturn = each === "\r";
        begin = at + 1;
      }
    }
    this.#rest = text.slice(begin);
    return frames;
  }

  #line(line: string): Frame | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.#onRetry(Number(value));
    return undefined;
  }

  #dispatch(): Frame | undefined {
    const frame = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
    const empty = this.#data.length === 0;
    this.#data = [];
    this.#event = "";
    return empty ? undefined : frame;
  }
}
