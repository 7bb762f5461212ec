// @ts-check
/**
 * What a key does in the tree, after the ARIA pattern for trees. Pure: says what to do, does nothing.
 *
 * @typedef {import('./outline').Item} Item
 * @typedef {{do: "choose" | "open" | "close" | "toggle" | "openAll" | "enter" | "search" | "copy" | "failure",
 *            at: number}} Action
 * @typedef {{key: string, alt: boolean, command: boolean, shift: boolean}} Press
 */

const TYPING_MS = 700;

/**
 * @param {Press} press
 * @param {Item[]} items
 * @param {number} at line that is chosen; -1: none
 * @param {number} page lines in sight
 * @returns {Action | null}
 */
export function keyAction(press, items, at, page) {
  if (press.key === 'F8') return { do: 'failure', at };
  if (press.command && press.key.toLowerCase() === 'c' && !press.shift && !press.alt) return { do: 'copy', at };
  if (press.alt || press.command || !items.length) return null;
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: Infinity, PageDown: at + page, PageUp: at - page }[
    press.key
  ];
  if (to !== undefined) return { do: 'choose', at: Math.max(0, Math.min(items.length - 1, to)) };
  if (press.key === '/') return { do: 'search', at };
  const item = items[at];
  if (!item) return null;
  if (press.key === 'Enter') return { do: 'enter', at };
  if (press.key === ' ') return { do: 'toggle', at };
  if (press.key === '*') return { do: 'openAll', at };
  if (press.key === 'ArrowRight') {
    if (item.open === false) return { do: 'open', at };
    return item.open ? { do: 'choose', at: Math.min(items.length - 1, at + 1) } : null;
  }
  if (press.key === 'ArrowLeft') {
    if (item.open) return { do: 'close', at };
    const parent = items.findIndex(each => each.key === item.parent);
    return parent >= 0 ? { do: 'choose', at: parent } : null;
  }
  return null;
}

/** Finds a line by the first letters of its label. */
export class TypeAhead {
  constructor() {
    this.typed = '';
    this.last = 0;
  }

  /**
   * @param {string} key
   * @param {string[]} labels
   * @param {number} at line to start from
   * @param {number} now milliseconds
   * @returns {number} the line found; -1: none
   */
  find(key, labels, at, now) {
    this.typed = now - this.last > TYPING_MS ? key : this.typed + key;
    this.last = now;
    const letters = this.typed.toLowerCase();
    // One letter goes on to the next line; more of them stay where they are if it still fits.
    const from = this.typed.length === 1 ? at + 1 : Math.max(0, at);
    for (let step = 0; step < labels.length; step++) {
      const place = (from + step) % labels.length;
      if (labels[place].toLowerCase().startsWith(letters)) return place;
    }
    return -1;
  }
}
