// @ts-check
/**
 * What a view knows: the nodes, what is chosen, and its texts. Knows nothing of the page.
 *
 * @typedef {import('./generated').NodeSummary} Row
 * @typedef {import('./generated').UsageDict} Usage
 * @typedef {import('./generated').ControlDict} Control
 * @typedef {import('./generated').DetailTexts} Texts
 * @typedef {import('./generated').TextMessage} Piece
 * @typedef {import('./generated').DeltaMessage} Delta
 * @typedef {import('./generated').SnapshotMessage} Snapshot
 * @typedef {import('./facts').Group} Group
 * @typedef {import('./facts').PackedRows} PackedRows
 * @typedef {import('./facts').BatchFacts} BatchFacts
 * @typedef {"loading" | "saved" | "live" | "gone"} Phase
 *   Nothing known yet; a kept picture without a kernel; the kernel speaks; the kernel spoke and is gone.
 */

import { batchKey, hasFailed, sumBatch, unpack } from './facts.js';
import { Outline } from './outline.js';

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
    /** Grows with every change: what is drawn with the same number needs no drawing. */
    this.version = 0;
    /** How far the page's clock is ahead of the kernel's, in seconds. */
    this.skew = 0;
    /** @type {Map<string, BatchFacts>} */
    this.facts = new Map();
    /** Which lines the tree has. */
    this.outline = new Outline(this);
    /** Changes that came before the last part of a picture. @type {Delta[]} */
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
    this.outline.grow();
  }

  /** @param {Row} row */
  put(row) {
    const before = this.rows.get(row.id);
    this.rows.set(row.id, row);
    if (hasFailed(row)) this.failed.add(row.id);
    else this.failed.delete(row.id);
    if (row.batch !== null) this.facts.delete(batchKey(row));
    if (!before) this.place(row);
    else this.outline.stir();
  }

  /** Find a new node its place among its siblings. @param {Row} row */
  place(row) {
    this.outline.grow();
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
    this.outline.grow();
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

  /** The runs that went on with each other up to this one, the first one first. @param {Row} run */
  chain(run) {
    const runs = [run];
    for (let before = this.rows.get(run.continues ?? ''); before; before = this.rows.get(before.continues ?? '')) {
      runs.unshift(before);
    }
    return runs;
  }

  /** The run that was asked last. @returns {Row | null} */
  lastRun() {
    let last = null;
    for (const id of this.children(null)) {
      const row = this.rows.get(id);
      // A run of an earlier session may come after it.
      if (row && (last === null || (row.started ?? 0) >= (last.started ?? 0))) last = row;
    }
    return last;
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

  // ---- choosing ------------------------------------------------------------------------

  /** @param {string | null} key */
  choose(key) {
    if (key === this.chosen) return;
    this.chosen = key;
    this.texts = null;
    this.version++;
  }

  /** Ids of the failures of a question; one that failed since a part of it did is not one more. @param {string | null} root */
  failedIn(root) {
    const ids = [...this.failed].filter(id => root === null || this.root(id)?.id === root);
    return ids.length > 1 ? ids.filter(id => id !== root) : ids;
  }

  /** @param {string | null} root */
  failureCount(root) {
    return this.failedIn(root).length;
  }
}
