// What both pages stand in. Start at `Session` and `Shell`.

export { default as Explanation } from "./Explanation.svelte";
export { default as History } from "./History.svelte";
export { default as Moved } from "./Moved.svelte";
export { default as Panel } from "./Panel.svelte";
export { default as Refusal } from "./Refusal.svelte";
export { default as Shell } from "./Shell.svelte";
export { default as Timeline } from "./Timeline.svelte";
export { default as Wide } from "./Wide.svelte";
export { Live } from "./live.svelte.ts";
export { Session, type Viewer } from "./session.svelte.ts";
export { readTimeline } from "./timeline.ts";
export { ACTS, COMMANDS, CONSOLE, LIFE, MARKET, POLICIES, WORDS, say } from "./words.ts";
export { day, instant, zone } from "./zone.svelte.ts";
