// @ts-check
/**
 * Which node stands in which lane of the timeline. Pure.
 *
 * @typedef {import('./facts').Row} Row
 * @typedef {{row: Row, start: number, end: number, lane: number}} Bar start and end in seconds from the question on
 * @typedef {{bars: Bar[], turns: number, lanes: number, seconds: number}} Plan
 *   `turns`: how many of the lanes, from the top, are those of turns
 */

/**
 * Give every turn and call a lane of its own for as long as it lasts: turns above, calls below.
 *
 * @param {import('./store').Store} store
 * @param {Row} root the question
 * @returns {Plan}
 */
export function planLanes(store, root) {
  const from = root.started ?? 0;
  const now = store.live ? store.now() : (root.ended ?? from);
  /** @type {Bar[]} */
  const turns = [];
  /** @type {Bar[]} */
  const calls = [];
  let seconds = (root.ended ?? now) - from;
  for (const row of store.within(root.id)) {
    if (row.kind === 'run' || row.started === null) continue;
    const start = Math.max(0, row.started - from); // a kept node was asked before this question
    const end = Math.max(start, (row.ended ?? now) - from);
    (row.kind === 'turn' ? turns : calls).push({ row, start, end, lane: 0 });
    seconds = Math.max(seconds, end);
  }
  const top = assign(turns);
  const below = assign(calls);
  for (const bar of calls) bar.lane += top;
  return { bars: [...turns, ...calls], turns: top, lanes: top + below, seconds: Math.max(seconds, 0.001) };
}

/** Put each bar into the first lane that is free when it starts; gives the number of lanes. @param {Bar[]} bars */
function assign(bars) {
  bars.sort((a, b) => a.start - b.start || a.end - b.end);
  /** @type {number[]} */
  const free = [];
  for (const bar of bars) {
    let lane = free.findIndex(end => end <= bar.start);
    if (lane < 0) lane = free.push(0) - 1;
    free[lane] = Math.max(bar.end, bar.start + 1e-9);
    bar.lane = lane;
  }
  return free.length;
}

/** A step that people count in, so that about `most` of them fill a time. @param {number} seconds @param {number} most */
export function tickStep(seconds, most) {
  const steps = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600
  ];
  return steps.find(step => seconds / step <= most) ?? Math.ceil(seconds / most / 3600) * 3600;
}
