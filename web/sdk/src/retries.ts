// When a try may be repeated, and after how long.

/** How often and how long a call is tried. */
export interface Retries {
  /** How many tries there are in all. */
  tries: number;
  /** How long the first pause is at most, in milliseconds; each later one twice as long. */
  firstPauseMs: number;
  /** How long a pause is at most, in milliseconds. A server that asks for more is not tried again:
   * its caller should know. */
  longestPauseMs: number;
}

/** What a client uses unless it is told otherwise. */
export const RETRIES: Retries = { tries: 4, firstPauseMs: 200, longestPauseMs: 5_000 };

/** What there is to know about a failed try. */
export interface FailedTry {
  /** What HTTP said; 0 if there was no answer. */
  status: number;
  /** The problem, if there was one. */
  problem: { retryable?: unknown; outcome?: unknown } | undefined;
  /** What `Retry-After` asks for, in milliseconds. */
  retryAfterMs: number | undefined;
  /** Whether a repeat has no second effect: reads, and commands with an Idempotency-Key. */
  repeatable: boolean;
}

/** The pause before the next try in milliseconds, or undefined where there should be none. */
export function pauseAfter(failed: FailedTry, tried: number, retries: Retries): number | undefined {
  if (tried >= retries.tries || !mayRepeat(failed)) return undefined;
  if (failed.retryAfterMs !== undefined) {
    if (failed.retryAfterMs > retries.longestPauseMs) return undefined;
    // Those who were told the same instant do not come back at the same instant.
    return failed.retryAfterMs + jitter(retries.firstPauseMs);
  }
  return jitter(Math.min(retries.firstPauseMs * 2 ** (tried - 1), retries.longestPauseMs));
}

function mayRepeat({ status, problem, repeatable }: FailedTry): boolean {
  if (problem?.retryable === true) return repeatable || problem.outcome === "none";
  // A gateway between us and the API speaks no problems; nor does a connection that broke.
  const unanswered = status === 0 || status === 502 || status === 503 || status === 504;
  return unanswered && typeof problem?.retryable !== "boolean" && repeatable;
}

function jitter(longest: number): number {
  return longest * (0.5 + Math.random() / 2);
}

/** Waits, or rejects with the signal's reason. */
export function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(done, milliseconds);
    function done() {
      signal?.removeEventListener("abort", given);
      resolve();
    }
    function given() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", given, { once: true });
  });
}
