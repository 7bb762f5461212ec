// @ts-check
/**
 * Which lines the tree has, and in which order: what stands open, what is looked for. Knows nothing of the page.
 *
 * @typedef {import('./facts').Group} Group
 * @typedef {import('./facts').Row} Row
 * @typedef {{key: string, parent: string | null, level: number, pos: number, size: number, open: boolean | null,
 *            group: Group | null, match: boolean}} Item
 *   One line of the tree: a batch of calls (`group`), or the node whose id is the key.
 * @typedef {"none" | "failed" | "cached" | "expensive"} Filter
 * @typedef {"order" | "cost" | "time" | "tokens"} Sort
 */

import { batchKey } from './facts.js';

/** The lines of one view of a store. */
export class Outline {
  /** @param {import('./store').Store} store */
  constructor(store) {
    this.store = store;
    /** @type {Filter} */
    this.filter = 'none';
    /** @type {Sort} */
    this.sort = 'order';
    this.search = '';
    /** Nodes whose long texts contain the search, where that was asked. @type {Set<string> | null} */
    this.found = null;
    /** Keys that a person opened or closed against the custom. @type {Map<string, boolean>} */
    this.toggled = new Map();
    /** The same while something is looked for, whose finds would hide in what was closed before. @type {Map<string, boolean>} */
    this.toggledLooking = new Map();
    /** Grows with every change of which lines there are. */
    this.shape = 0;
    /** Whether rows changed in a way that may move lines, in the present order and filter. */
    this.stirred = false;
    /** @type {Item[]} */
    this.kept = [];
    this.keptShape = -1;
    /** Line of each key in `kept`. @type {Map<string, number>} */
    this.places = new Map();
  }

  /** A row is new, or gone. */
  grow() {
    this.shape++;
  }

  /** A row says something else. */
  stir() {
    if (this.filter !== 'none' || this.sort !== 'order') this.stirred = true;
  }

  /** Open everything above a node, so that it has a line. @param {string} id */
  reveal(id) {
    const path = [id, ...this.store.ancestors(id).map(row => row.id)];
    path.forEach((each, at) => {
      if (at > 0) this.open(each);
      const row = this.store.rows.get(each);
      if (row?.batch) this.open(batchKey(row));
    });
    this.shape++;
    this.store.version++;
  }

  /** Open a line, also for when nothing is looked for any more. @param {string} key */
  open(key) {
    this.toggled.set(key, true);
    this.toggledLooking.set(key, true);
  }

  /** What a person opened and closed, in what is shown now. */
  get toggles() {
    return this.looking ? this.toggledLooking : this.toggled;
  }

  /** @param {string} key @param {boolean} open */
  toggle(key, open) {
    this.toggles.set(key, open);
    this.shape++;
    this.store.version++;
  }

  /** @param {{filter?: Filter, sort?: Sort, search?: string, found?: Set<string> | null}} what */
  look(what) {
    Object.assign(this, what);
    if (what.filter !== undefined || what.search !== undefined) this.toggledLooking.clear();
    this.shape++;
    this.store.version++;
  }

  /** Find all lines their places anew. */
  settle() {
    this.stirred = false;
    this.shape++;
  }

  get looking() {
    return this.filter !== 'none' || this.search !== '';
  }

  /** The lines of the tree, from top to bottom. @returns {Item[]} */
  lines() {
    if (this.keptShape === this.shape) return this.kept;
    this.keptShape = this.shape;
    this.kept = [];
    const wanted = this.looking ? this.wanted() : null;
    this.walk(null, null, 1, true, wanted);
    this.places = new Map(this.kept.map((item, at) => [item.key, at]));
    return this.kept;
  }

  /** The line of a key; -1: it has none. @param {string | null} key */
  lineOf(key) {
    this.lines();
    return key === null ? -1 : (this.places.get(key) ?? -1);
  }

  /**
   * @param {string | null} parent
   * @param {string | null} parentKey
   * @param {number} level
   * @param {boolean} custom whether nodes that nobody toggled stand open
   * @param {Map<string, boolean> | null} wanted
   */
  walk(parent, parentKey, level, custom, wanted) {
    const groups = this.sorted(this.store.below.get(parent) ?? [], wanted);
    groups.forEach((group, at) => {
      const place = { parent: parentKey, level, pos: at + 1, size: groups.length };
      if (group.batch === null || group.ids.length === 1) {
        this.walkNode(group.ids[0], place, custom, wanted);
        return;
      }
      const open = this.toggles.get(group.key) ?? wanted !== null;
      this.kept.push({ ...place, key: group.key, open, group, match: false });
      if (!open) return;
      const ids = this.sortedIds(group.ids, wanted);
      ids.forEach((id, index) => {
        const under = { parent: group.key, level: level + 1, pos: index + 1, size: ids.length };
        this.walkNode(id, under, wanted !== null, wanted);
      });
    });
  }

  /**
   * @param {string} id
   * @param {{parent: string | null, level: number, pos: number, size: number}} place
   * @param {boolean} custom
   * @param {Map<string, boolean> | null} wanted
   */
  walkNode(id, place, custom, wanted) {
    const open = this.store.below.get(id)?.length ? (this.toggles.get(id) ?? custom) : null;
    this.kept.push({ ...place, key: id, open, group: null, match: wanted?.get(id) ?? false });
    if (open) this.walk(id, id, place.level + 1, custom, wanted);
  }

  /** @param {Group[]} groups @param {Map<string, boolean> | null} wanted @returns {Group[]} */
  sorted(groups, wanted) {
    const shown = wanted ? groups.filter(group => group.ids.some(id => wanted.has(id))) : groups;
    if (this.sort === 'order') return shown;
    const worth = new Map(shown.map(group => [group, this.groupWorth(group)]));
    return [...shown].sort((a, b) => (worth.get(b) ?? 0) - (worth.get(a) ?? 0));
  }

  /** @param {string[]} ids @param {Map<string, boolean> | null} wanted */
  sortedIds(ids, wanted) {
    const shown = wanted ? ids.filter(id => wanted.has(id)) : ids;
    return this.sort === 'order' ? shown : [...shown].sort((a, b) => this.worth(b) - this.worth(a));
  }

  /** @param {Group} group */
  groupWorth(group) {
    const worths = group.ids.map(id => this.worth(id));
    // Calls of a batch run at the same time: the longest says how long the batch took.
    return this.sort === 'time' ? Math.max(...worths) : worths.reduce((a, b) => a + b, 0);
  }

  /** What a node counts in the present order. @param {string} id */
  worth(id) {
    const row = this.store.rows.get(id);
    if (!row) return 0;
    if (this.sort === 'time') return row.started === null ? 0 : (row.ended ?? this.store.now()) - row.started;
    if (this.sort === 'cost') return row.total.cost_usd ?? 0;
    return row.total.input_tokens + row.total.output_tokens;
  }

  /** Which nodes have a line while something is looked for: matches (true), and what is above them (false). */
  wanted() {
    /** @type {Map<string, boolean>} */
    const wanted = new Map();
    const words = this.search.toLowerCase();
    const dear = this.filter === 'expensive' ? this.expensive() : null;
    for (const row of this.store.rows.values()) {
      if (this.filter === 'failed' && !this.store.failed.has(row.id)) continue;
      if (this.filter === 'cached' && !row.cached) continue;
      if (dear && !dear.has(row.id)) continue;
      if (words && !row.label.toLowerCase().includes(words) && !this.found?.has(row.id)) continue;
      wanted.set(row.id, true);
      for (const above of this.store.ancestors(row.id)) {
        if (wanted.has(above.id)) break;
        wanted.set(above.id, false);
      }
    }
    return wanted;
  }

  /** The tenth of the nodes that themselves cost most (or took most tokens, where there is no price). */
  expensive() {
    const priced = [...this.store.rows.values()].some(row => row.usage.cost_usd);
    /** @param {Row} row */
    const cost = row => (priced ? (row.usage.cost_usd ?? 0) : row.usage.input_tokens + row.usage.output_tokens);
    const paid = [...this.store.rows.values()].filter(row => cost(row) > 0).sort((a, b) => cost(b) - cost(a));
    return new Set(paid.slice(0, Math.max(1, Math.ceil(paid.length / 10))).map(row => row.id));
  }

  /** Ids of the failures of a question, in the order of the tree. @param {string | null} root @returns {string[]} */
  failures(root) {
    const ids = this.store.failedIn(root);
    const paths = new Map(ids.map(id => [id, this.path(id)]));
    return ids.sort((a, b) => comparePaths(paths.get(a) ?? [], paths.get(b) ?? []));
  }

  /** The first of some nodes, given in order, that stands below a line; null: none does. @param {string[]} ids
   * @param {string} key */
  firstAfter(ids, key) {
    const place = this.path(key);
    return ids.find(id => id !== key && comparePaths(this.path(id), place) > 0) ?? null;
  }

  /** Where a node stands: its place among its siblings, from the top down. @param {string} id */
  path(id) {
    const ids = [id, ...this.store.ancestors(id).map(row => row.id)].reverse();
    return ids.map(each => this.store.children(this.store.rows.get(each)?.parent_id ?? null).indexOf(each));
  }
}

/** @param {number[]} a @param {number[]} b */
function comparePaths(a, b) {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    if (a[at] !== b[at]) return a[at] - b[at];
  }
  return a.length - b.length;
}
