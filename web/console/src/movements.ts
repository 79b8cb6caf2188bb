// The accounts that move, as the file of comma-separated values that the command line writes.

import type { Schemas } from "@artisan-atlas/sdk";

type Movement = Schemas["PolicyDiff"]["movements"][number];

const HEAD =
  "beneficiary_role,beneficiary_id,points_before,points_after,grade_before,grade_after,vip_before,vip_after";

/** A line each. None of the values needs quotes. */
export function asCsv(movements: Movement[]): string {
  const lines = movements.map(({ role, id, before, after }) =>
    [role, id, before.lifetimePoints, after.lifetimePoints, before.grade, after.grade, before.vip, after.vip].join(","),
  );
  return [HEAD, ...lines, ""].join("\n");
}

/** Gives the browser the file to keep. */
export function saveMovements(from: number, to: number, movements: Movement[]): void {
  const file = URL.createObjectURL(new Blob([asCsv(movements)], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = file;
  link.download = `policy-diff-${from}-${to}.csv`;
  link.click();
  // Once it has been taken up.
  setTimeout(() => URL.revokeObjectURL(file), 60_000);
}
