// Handling how a call ended, so that what was forgotten does not compile.

/** Any result. */
interface Ended {
  ok: boolean;
  status: number;
}

type RefusalIn<R> = Extract<R, { ok: false }>;
type CodeIn<R> = RefusalIn<R> extends { code: infer C extends string } ? C : never;

/** A function for each code with which the operation may be refused. */
export type Refusals<R, T> = {
  [C in CodeIn<R>]: (refusal: Extract<RefusalIn<R>, { code: C }>) => T;
};

/**
 * Gives the result to the function for it. Each code that the operation can be refused with must
 * have one, also `unknown` and `unanswered`.
 */
export function match<R extends Ended, T>(
  result: R,
  ok: (answer: Extract<R, { ok: true }>) => T,
  refusals: Refusals<R, T>,
): T {
  if (result.ok) return ok(result as Extract<R, { ok: true }>);
  const { code } = result as unknown as { code: CodeIn<R> };
  return refusals[code](result as never);
}

/** Stands where every code has been handled: what was forgotten does not compile. */
export function unhandled(result: never): never {
  throw new Error(`a result that nothing handles: ${JSON.stringify(result)}`);
}

/** A refusal as an error, where a caller has no other way with it. */
export class RefusedError<R = unknown> extends Error {
  override readonly name = "RefusedError";
  /** What was refused, and why. */
  readonly refusal: R;

  constructor(refusal: R & { status: number; code: string; problem: unknown }) {
    const detail = (refusal.problem as { detail?: unknown } | undefined)?.detail;
    super(`${refusal.code} (${refusal.status})${typeof detail === "string" ? `: ${detail}` : ""}`);
    this.refusal = refusal;
  }
}

/** The data of a success; a refusal is thrown as a [`RefusedError`]. */
export function dataOf<R extends Ended>(
  result: R,
): Exclude<Extract<R, { ok: true }> extends { data: infer D } ? D : never, undefined> {
  if (!result.ok) throw new RefusedError(result as never);
  return (result as { data?: unknown }).data as never;
}
