// Instants in forms: what a person types is in the zone that is shown.

import { zone } from "@artisan-atlas/frame";

/** How far the zone is from UTC at an instant, in milliseconds. */
function offset(at: number): number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone.name,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const { year, month, day, hour, minute, second } = parts;
  const shown = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return shown - Math.floor(at / 1_000) * 1_000;
}

/** An instant as a field for date and time holds it. */
export function toLocal(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at)) return "";
  return new Date(at + offset(at)).toISOString().slice(0, 16);
}

/** What such a field holds as an instant. */
export function fromLocal(text: string): string {
  const shown = Date.parse(`${text}:00Z`);
  // The offset at the instant itself, which a change of the clocks may lie before.
  const near = shown - offset(shown);
  return new Date(shown - offset(near)).toISOString();
}
