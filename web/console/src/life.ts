// Where the states of an order stand in their drawing: in rows, by how many steps lead there.

import told from "./generated/order-states.json" with { type: "json" };

/** A state. */
export interface State {
  state: string;
  meaning: string;
  /** Whether nothing can follow. */
  ends: boolean;
}

/** What leads from one state to another. */
export interface Arrow {
  /** None where nothing was before. */
  from: string | null;
  to: string;
  steps: string[];
}

/** A place in the drawing: the middle of a box. */
export interface Place {
  x: number;
  y: number;
}

const { states, arrows } = told as { states: State[]; arrows: Arrow[] };
export { arrows, states };

/** A box, and the distances between boxes. */
export const BOX = { width: 136, height: 48 };
const ACROSS = 200;
const DOWN = 118;
/** What is left free around. */
const MARGIN = { x: BOX.width / 2 + 20, y: BOX.height / 2 + 40 };

/** How many steps lead to each state, at least. */
function depths(): Map<string, number> {
  const depths = new Map<string, number>();
  let reached = arrows.filter((arrow) => arrow.from === null).map((arrow) => arrow.to);
  for (let depth = 0; reached.length > 0; depth += 1) {
    for (const state of reached) depths.set(state, depth);
    const next = arrows.filter((arrow) => arrow.from !== null && depths.get(arrow.from) === depth);
    reached = [...new Set(next.map((arrow) => arrow.to))].filter((state) => !depths.has(state));
  }
  return depths;
}

/** The middle of each state's box. */
export const PLACES: ReadonlyMap<string, Place> = (() => {
  const places = new Map<string, Place>();
  const rows = new Map<number, number>();
  const depth = depths();
  for (const { state } of states) {
    const row = depth.get(state) ?? 0;
    const column = rows.get(row) ?? 0;
    rows.set(row, column + 1);
    places.set(state, { x: MARGIN.x + column * ACROSS, y: MARGIN.y + row * DOWN });
  }
  return places;
})();

/** How large the drawing is. */
export const SIZE = {
  width: Math.max(...[...PLACES.values()].map((place) => place.x)) + MARGIN.x,
  height: Math.max(...[...PLACES.values()].map((place) => place.y)) + MARGIN.y,
};

/** An arrow's line from box to box, bent to the side so that the way back is another, and the middle
 * of it. */
export function line(arrow: Arrow): { path: string; middle: Place } {
  const to = PLACES.get(arrow.to) ?? { x: 0, y: 0 };
  const start = arrow.from === null ? { x: to.x, y: to.y - BOX.height / 2 - 36 } : PLACES.get(arrow.from) ?? to;
  const across = { x: to.x - start.x, y: to.y - start.y };
  const length = Math.hypot(across.x, across.y) || 1;
  const bend = arrow.from === null ? 0 : 26;
  const control = {
    x: (start.x + to.x) / 2 - (across.y / length) * bend,
    y: (start.y + to.y) / 2 + (across.x / length) * bend,
  };
  const from = arrow.from === null ? start : edge(start, control);
  const end = edge(to, control);
  const middle = { x: (from.x + 2 * control.x + end.x) / 4, y: (from.y + 2 * control.y + end.y) / 4 };
  return { path: `M${round(from)} Q${round(control)} ${round(end)}`, middle };
}

/** Where the line from the middle of a box to a point leaves the box. */
function edge(middle: Place, towards: Place): Place {
  const across = { x: towards.x - middle.x, y: towards.y - middle.y };
  const share = Math.min(
    (BOX.width / 2) / Math.abs(across.x || 1e-9),
    (BOX.height / 2) / Math.abs(across.y || 1e-9),
  );
  return { x: middle.x + across.x * share, y: middle.y + across.y * share };
}

function round({ x, y }: Place): string {
  return `${Math.round(x * 10) / 10},${Math.round(y * 10) / 10}`;
}
