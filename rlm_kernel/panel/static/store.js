// @ts-check
/**
 * What a view knows: the nodes, what is chosen, what stands open, what is looked for. Knows nothing of the page.
 *
 * @typedef {import('./generated').NodeSummary} Row
 * @typedef {import('./generated').UsageDict} Usage
 * @typedef {import('./generated').ControlDict} Control
 * @typedef {import('./generated').DetailTexts} Texts
 * @typedef {import('./generated').TextMessage} Piece
 * @typedef {import('./generated').DeltaMessage} Delta
 * @typedef {import('./generated').SnapshotMessage} Snapshot
 * @typedef {import('./generated').PackedRows} PackedRows
 *
 * @typedef {{key: string, parent: string | null, batch: string | null, ids: string[]}} Group
 *   Siblings that stand together: the calls of one batch, or one node.
 * @typedef {{key: string, parent: string | null, level: number, pos: number, size: number, open: boolean | null,
 *            row: Row | null, group: Group | null, match: boolean}} Item
 *   One line of the tree: a node, or a batch of calls (row is null).
 * @typedef {{key: string, label: string, kind: string, status: string, word: string, model: string, usage: Usage,
 *            started: number | null, ended: number | null, cached: boolean, error: string | null, done: number,
 *            failed: number, size: number}} BatchFacts
 * @typedef {"none" | "failed" | "cached" | "expensive"} Filter
 * @typedef {"order" | "cost" | "time" | "tokens"} Sort
 * @typedef {"loading" | "saved" | "live" | "gone"} Phase
 *   Nothing known yet; a kept picture without a kernel; the kernel speaks; the kernel spoke and is gone.
 */

import { addUsage, count, noUsage } from './format.js';

const FINAL = new Set(['done', 'failed', 'stopped']);

/** Whether a node has come to its end. @param {{status: string}} row */
export function isFinal(row) {
  return FINAL.has(row.status);
}

/** A turn is done when its cell has run; that the cell failed is said all the same. @param {Row} row */
export function hasFailed(row) {
  return row.status === 'failed' || (row.kind === 'turn' && row.status === 'done' && !!row.error);
}

/** @param {PackedRows} packed @returns {Row[]} */
export function unpack(packed) {
  const { keys, usage_keys: names, rows } = packed;
  /** @param {any} values */
  const usage = values => Object.fromEntries(names.map((name, at) => [name, values[at]]));
  return rows.map(values => {
    /** @type {any} */
    const row = {};
    keys.forEach((key, at) => (row[key] = values[at]));
    row.usage = usage(row.usage);
    row.total = row.total === null ? row.usage : usage(row.total);
    return row;
  });
}

/** Everything one view knows. */
export class Store {
  constructor() {
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** The groups below each node, in order. @type {Map<string | null, Group[]>} */
    this.below = new Map();
    /** The batches by key. @type {Map<string, Group>} */
    this.batches = new Map();
    /** @type {Set<string>} */
    this.failed = new Set();
    /** The key of the chosen line: the id of a node, or `batch:…`. @type {string | null} */
    this.chosen = null;
    /** The texts of the chosen node, when they have come. @type {Texts | null} */
    this.texts = null;
    /** @type {Control} */
    this.control = { state: 'idle', waits_for: '', waiting: [], steers: [], limits: [] };
    /** Names of the models there are. @type {string[]} */
    this.models = [];
    /** @type {Phase} */
    this.phase = 'loading';
    /** @type {Filter} */
    this.filter = 'none';
    /** @type {Sort} */
    this.sort = 'order';
    this.search = '';
    /** Nodes whose long texts contain the search, where that was asked. @type {Set<string> | null} */
    this.found = null;
    /** Grows with every change: what is drawn with the same number needs no drawing. */
    this.version = 0;
    /** Grows with every change of which lines there are. */
    this.shape = 0;
    /** Whether rows changed in a way that may move lines, in the present order and filter. */
    this.stirred = false;
    /** How far the page's clock is ahead of the kernel's, in seconds. */
    this.skew = 0;
    /** Keys that a person opened or closed against the custom. @type {Map<string, boolean>} */
    this.toggled = new Map();
    /** @type {Map<string, BatchFacts>} */
    this.facts = new Map();
    /** @type {Item[]} */
    this.kept = [];
    this.keptShape = -1;
    /** Line of each key in `kept`. @type {Map<string, number>} */
    this.places = new Map();
    /** @type {Delta[]} */
    this.held = [];
    this.expected = 0;
  }

  /** Whether the kernel speaks: only then may anything be changed. */
  get live() {
    return this.phase === 'live';
  }

  /** The chosen node; null where none or a batch is chosen. @returns {Row | null} */
  get node() {
    return this.chosen === null ? null : (this.rows.get(this.chosen) ?? null);
  }

  /** The kernel's clock now, in seconds since the epoch. */
  now() {
    return Date.now() / 1000 - this.skew;
  }

  // ---- what comes from the kernel ----------------------------------------------------------------------------

  /**
   * Take rows.
   *
   * A picture comes in parts. What changes meanwhile is held until the last part is there: its nodes would else stand
   * in the wrong order.
   *
   * @param {Delta | Snapshot} message
   */
  take(message) {
    this.skew = Date.now() / 1000 - message.now;
    this.control = message.control;
    if (message.models) this.models = message.models;
    this.version++;
    if (message.kind === 'snapshot') this.takePart(message);
    else if (this.phase === 'live' && this.expected === 0) this.takeDelta(message);
    else this.held.push(message);
  }

  /** @param {Snapshot} message */
  takePart(message) {
    if (message.part === 0) {
      this.clear();
      this.held = [];
    } else if (message.part !== this.expected) return;
    for (const row of unpack(message.rows)) this.put(row);
    this.expected = message.part + 1;
    if (this.expected < message.parts) return;
    this.expected = 0;
    this.phase = 'live';
    const held = this.held;
    this.held = [];
    for (const delta of held) this.takeDelta(delta);
  }

  /** @param {Delta} message */
  takeDelta(message) {
    for (const row of message.nodes) this.put(row);
    for (const id of message.removed) this.remove(id);
  }

  /** Show a kept picture, without a kernel. @param {{rows: PackedRows, now: number}} picture */
  takePicture(picture) {
    if (this.phase !== 'loading') return;
    for (const row of unpack(picture.rows)) this.put(row);
    this.phase = 'saved';
    this.version++;
  }

  /** The kernel is there no more: what is known stays, to be read. */
  lose() {
    if (this.phase !== 'live') return;
    this.phase = 'gone';
    this.expected = 0;
    this.version++;
  }

  /** @param {Texts} texts */
  takeTexts(texts) {
    if (texts.id !== this.chosen) return;
    this.texts = texts;
    this.version++;
  }

  /** Take a piece of a long text; false: a piece before it is missing. @param {Piece} piece */
  takePiece(piece) {
    const texts = this.texts;
    if (!texts || texts.id !== piece.node_id) return true;
    const known = texts[piece.part] ?? '';
    if (piece.pos > known.length) return false;
    const whole = known.slice(0, piece.pos) + piece.text;
    this.texts = { ...texts, [piece.part]: whole, sizes: { ...texts.sizes } };
    if (piece.total > whole.length) this.texts.sizes[piece.part] = piece.total;
    else delete this.texts.sizes[piece.part];
    this.version++;
    return true;
  }

  clear() {
    this.rows.clear();
    this.below.clear();
    this.batches.clear();
    this.failed.clear();
    this.facts.clear();
    this.shape++;
  }

  /** @param {Row} row */
  put(row) {
    const before = this.rows.get(row.id);
    this.rows.set(row.id, row);
    if (hasFailed(row)) this.failed.add(row.id);
    else this.failed.delete(row.id);
    if (row.batch !== null) this.facts.delete(batchKey(row));
    if (!before) this.place(row);
    else if (this.filter !== 'none' || this.sort !== 'order') this.stirred = true;
  }

  /** Find a new node its place among its siblings. @param {Row} row */
  place(row) {
    this.shape++;
    let groups = this.below.get(row.parent_id);
    if (!groups) this.below.set(row.parent_id, (groups = []));
    if (row.batch === null) {
      groups.push({ key: row.id, parent: row.parent_id, batch: null, ids: [row.id] });
      return;
    }
    const key = batchKey(row);
    const group = this.batches.get(key);
    if (group) {
      group.ids.push(row.id);
      return;
    }
    const made = { key, parent: row.parent_id, batch: row.batch, ids: [row.id] };
    this.batches.set(key, made);
    groups.push(made);
  }

  /** @param {string} id */
  remove(id) {
    const row = this.rows.get(id);
    if (!row) return;
    for (const child of this.children(id)) this.remove(child);
    this.below.delete(id);
    this.rows.delete(id);
    this.failed.delete(id);
    const groups = this.below.get(row.parent_id) ?? [];
    const at = groups.findIndex(group => group.ids.includes(id));
    if (at >= 0) {
      const group = groups[at];
      group.ids.splice(group.ids.indexOf(id), 1);
      this.facts.delete(group.key);
      if (!group.ids.length) {
        groups.splice(at, 1);
        this.batches.delete(group.key);
      }
    }
    if (this.chosen === id) this.choose(null);
    this.shape++;
  }

  // ---- reading -----------------------------------------------------------------------------------------------

  /** The ids right below a node, in order. @param {string | null} id @returns {string[]} */
  children(id) {
    return (this.below.get(id) ?? []).flatMap(group => group.ids);
  }

  /** The rows above a node, nearest first. @param {string} id @returns {Row[]} */
  ancestors(id) {
    /** @type {Row[]} */
    const above = [];
    let row = this.rows.get(id);
    while (row && row.parent_id !== null && (row = this.rows.get(row.parent_id))) above.push(row);
    return above;
  }

  /** The question a node belongs to. @param {string} id @returns {Row | null} */
  root(id) {
    return this.ancestors(id).pop() ?? this.rows.get(id) ?? null;
  }

  /** The number of a turn among the turns of its run, from 1 on. @param {Row} row */
  turnNumber(row) {
    let number = 0;
    for (const id of this.children(row.parent_id)) {
      if (this.rows.get(id)?.kind === 'turn') number++;
      if (id === row.id) break;
    }
    return number;
  }

  /** The run that was asked last. @returns {Row | null} */
  lastRun() {
    const runs = this.below.get(null);
    const last = runs?.[runs.length - 1];
    return last ? (this.rows.get(last.ids[last.ids.length - 1]) ?? null) : null;
  }

  /** The question a person looks at: the one that runs; else that of the chosen node; else the last. */
  shownRun() {
    const last = this.lastRun();
    if (this.live && this.control.state !== 'idle') return last;
    const key = this.chosen;
    if (key === null) return last;
    const id = this.batches.get(key)?.ids[0] ?? key;
    return this.root(id) ?? last;
  }

  /** Seconds a node has taken so far; null: not known. @param {{started: number | null, ended: number | null}} row */
  elapsed(row) {
    if (row.started === null || (row.ended === null && !this.live)) return null;
    return (row.ended ?? this.now()) - row.started;
  }

  /** Every node below one and itself, parents before children. @param {string} id @returns {Generator<Row>} */
  *within(id) {
    const row = this.rows.get(id);
    if (!row) return;
    yield row;
    for (const child of this.children(id)) yield* this.within(child);
  }

  /** The part of its question's cost (or of its tokens, where there is no price) that a line took, 0 to 1.
   * @param {string} id @param {Usage} usage */
  share(id, usage) {
    const whole = this.root(id)?.total;
    if (!whole) return 0;
    if (whole.cost_usd) return Math.min(1, (usage.cost_usd ?? 0) / whole.cost_usd);
    const tokens = whole.input_tokens + whole.output_tokens;
    return tokens ? Math.min(1, (usage.input_tokens + usage.output_tokens) / tokens) : 0;
  }

  /** What the line of a batch shows. @param {Group} group @returns {BatchFacts} */
  batchFacts(group) {
    let facts = this.facts.get(group.key);
    if (!facts || facts.size !== group.ids.length) {
      facts = sumBatch(
        group,
        group.ids.flatMap(id => this.rows.get(id) ?? [])
      );
      this.facts.set(group.key, facts);
    }
    return facts;
  }

  // ---- choosing, opening, looking for ------------------------------------------------------------------------

  /** @param {string | null} key */
  choose(key) {
    if (key === this.chosen) return;
    this.chosen = key;
    this.texts = null;
    this.version++;
  }

  /** Open everything above a node, so that it has a line. @param {string} id */
  reveal(id) {
    const path = [id, ...this.ancestors(id).map(row => row.id)];
    path.forEach((each, at) => {
      if (at > 0) this.toggled.set(each, true);
      const row = this.rows.get(each);
      if (row?.batch) this.toggled.set(batchKey(row), true);
    });
    this.shape++;
    this.version++;
  }

  /** @param {string} key @param {boolean} open */
  toggle(key, open) {
    this.toggled.set(key, open);
    this.shape++;
    this.version++;
  }

  /** @param {{filter?: Filter, sort?: Sort, search?: string, found?: Set<string> | null}} what */
  look(what) {
    Object.assign(this, what);
    this.shape++;
    this.version++;
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
    const groups = this.sorted(this.below.get(parent) ?? [], wanted);
    groups.forEach((group, at) => {
      const place = { parent: parentKey, level, pos: at + 1, size: groups.length };
      if (group.batch === null || group.ids.length === 1) {
        this.walkNode(group.ids[0], place, custom, wanted);
        return;
      }
      const open = this.toggled.get(group.key) ?? wanted !== null;
      this.kept.push({ ...place, key: group.key, open, row: null, group, match: false });
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
    const row = this.rows.get(id);
    if (!row) return;
    const open = this.below.get(id)?.length ? (this.toggled.get(id) ?? custom) : null;
    this.kept.push({ ...place, key: id, open, row, group: null, match: wanted?.get(id) ?? false });
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
    const row = this.rows.get(id);
    if (!row) return 0;
    if (this.sort === 'time') return row.started === null ? 0 : (row.ended ?? this.now()) - row.started;
    if (this.sort === 'cost') return row.total.cost_usd ?? 0;
    return row.total.input_tokens + row.total.output_tokens;
  }

  /** Which nodes have a line while something is looked for: matches (true), and what is above them (false). */
  wanted() {
    /** @type {Map<string, boolean>} */
    const wanted = new Map();
    const words = this.search.toLowerCase();
    const dear = this.filter === 'expensive' ? this.expensive() : null;
    for (const row of this.rows.values()) {
      if (this.filter === 'failed' && !this.failed.has(row.id)) continue;
      if (this.filter === 'cached' && !row.cached) continue;
      if (dear && !dear.has(row.id)) continue;
      if (words && !row.label.toLowerCase().includes(words) && !this.found?.has(row.id)) continue;
      wanted.set(row.id, true);
      for (const above of this.ancestors(row.id)) {
        if (wanted.has(above.id)) break;
        wanted.set(above.id, false);
      }
    }
    return wanted;
  }

  /** The tenth of the nodes that themselves cost most (or took most tokens, where there is no price). */
  expensive() {
    const priced = [...this.rows.values()].some(row => row.usage.cost_usd);
    /** @param {Row} row */
    const cost = row => (priced ? (row.usage.cost_usd ?? 0) : row.usage.input_tokens + row.usage.output_tokens);
    const paid = [...this.rows.values()].filter(row => cost(row) > 0).sort((a, b) => cost(b) - cost(a));
    return new Set(paid.slice(0, Math.max(1, Math.ceil(paid.length / 10))).map(row => row.id));
  }

  /** Ids of the failures of a question, in the order of the tree. @param {string | null} root @returns {string[]} */
  failures(root) {
    const ids = [...this.failed].filter(id => root === null || this.root(id)?.id === root);
    const paths = new Map(ids.map(id => [id, this.path(id)]));
    return ids.sort((a, b) => comparePaths(paths.get(a) ?? [], paths.get(b) ?? []));
  }

  /** How many failures there are in a question. @param {string | null} root */
  failureCount(root) {
    let number = 0;
    for (const id of this.failed) if (root === null || this.root(id)?.id === root) number++;
    return number;
  }

  /** Where a node stands: its place among its siblings, from the top down. @param {string} id */
  path(id) {
    const ids = [id, ...this.ancestors(id).map(row => row.id)].reverse();
    return ids.map(each => this.children(this.rows.get(each)?.parent_id ?? null).indexOf(each));
  }
}

/** The key of the line of a node's batch. @param {Row} row */
export function batchKey(row) {
  return `batch:${row.parent_id ?? ''}:${row.batch}`;
}

/** @param {number[]} a @param {number[]} b */
function comparePaths(a, b) {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    if (a[at] !== b[at]) return a[at] - b[at];
  }
  return a.length - b.length;
}

/** @param {Group} group @param {Row[]} calls @returns {BatchFacts} */
function sumBatch(group, calls) {
  const usage = noUsage();
  const models = new Set();
  let done = 0;
  let failed = 0;
  let begun = false;
  let cached = true;
  /** @type {number | null} */
  let started = null;
  /** @type {number | null} */
  let ended = null;
  for (const row of calls) {
    addUsage(usage, row.total);
    models.add(row.model ?? '');
    if (isFinal(row)) done++;
    if (row.status === 'failed') failed++;
    begun ||= row.status !== 'pending';
    cached &&= row.cached;
    if (row.started !== null) started = started === null ? row.started : Math.min(started, row.started);
    if (row.ended !== null) ended = ended === null ? row.ended : Math.max(ended, row.ended);
  }
  const all = done === calls.length;
  const word = calls[0]?.kind === 'run' ? 'child run' : 'call';
  const size = calls.length.toLocaleString('en');
  return {
    key: group.key,
    label: `${count(calls.length, word)}: ${calls[0]?.label ?? ''}`,
    kind: calls[0]?.kind ?? 'call',
    status: all ? (failed ? 'failed' : 'done') : begun ? 'running' : 'pending',
    word: all ? (failed ? `${count(failed, 'failure')}` : 'done') : `${done.toLocaleString('en')}/${size}`,
    model: models.size === 1 ? [...models][0] : `${models.size} models`,
    usage,
    started,
    ended: all ? ended : null,
    cached,
    error: failed ? `${count(failed, word)} of ${size} failed.` : null,
    done,
    failed,
    size: calls.length
  };
}
