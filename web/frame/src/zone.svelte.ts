// One time zone for everything that is shown, named on screen and switched in one place.

/** The zones that there are to choose: the machine's and UTC. */
const MACHINE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone that instants are shown in. */
export const zone = $state({ name: MACHINE });

/** The other one. */
export function switchZone(): void {
  zone.name = zone.name === "UTC" ? MACHINE : "UTC";
}

/** An instant as people read it: its text stays what the API sent wherever it is sent back. */
export function instant(text: string): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  const format = { dateStyle: "medium", timeStyle: "short", timeZone: zone.name } as const;
  return at.toLocaleString("en-GB", format);
}

/** The day of an instant. */
export function day(text: string): string {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  return at.toLocaleDateString("en-GB", { dateStyle: "medium", timeZone: zone.name });
}
