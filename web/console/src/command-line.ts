// The line of the command line that does the same as an act, for people who know it from there.

/** Which words an act is there, and which of its arguments stand without a name. */
const LINES: Record<string, { words: string; bare: string[] }> = {
  redrive: { words: "dlq redrive", bare: [] },
  redrivePreview: { words: "dlq redrive --preview", bare: [] },
  discard: { words: "dlq discard", bare: [] },
  replay: { words: "replay", bare: [] },
  rebuild: { words: "rebuild", bare: ["model"] },
  rebuildBack: { words: "rebuild back", bare: ["model"] },
  activate: { words: "policy activate", bare: ["version"] },
  backfill: { words: "policy backfill", bare: ["version"] },
  recompute: { words: "policy recompute", bare: [] },
};

/** The line, with what a shell minds in quotes. */
export function commandLine(act: string, given: Record<string, unknown>, operator: string, reason: string): string {
  const { words, bare } = LINES[act] ?? { words: act, bare: [] };
  const parts = ["projector", words];
  for (const name of bare) parts.push(quoted(String(given[name] ?? "")));
  for (const [name, value] of Object.entries(given)) {
    if (bare.includes(name) || value === undefined || value === false) continue;
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (name === "ids") parts.push("--id", (value as string[]).map(quoted).join(","));
    else if (value === true) parts.push(option);
    else parts.push(option, quoted(String(value)));
  }
  if (act !== "redrivePreview") parts.push("--operator", operator, "--reason", quoted(reason || "…"));
  return parts.join(" ");
}

function quoted(text: string): string {
  return /^[\w@:.…-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
