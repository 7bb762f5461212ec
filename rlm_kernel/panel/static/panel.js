// @ts-check
/**
 * The panel: a live tree of runs, turns and calls that a person can steer, edit and run again.
 *
 * This module is the frame: it listens to the kernel, keeps the store, and mounts the views. A view is a function
 * `(host, ctx) => {update(state), destroy()}`: it puts its elements into `host`, is updated at most once a frame while it
 * is in sight, and gives everything back at the end. Everything a model or a document wrote is set as text.
 *
 * @typedef {import('./store').Store} StoreType
 * @typedef {import('./generated').FromView} FromView
 * @typedef {{update(state: StoreType): void, destroy(): void}} PanelView
 * @typedef {{get(name: string): any, send(content: object): void, on(event: string, then: Function): void,
 *            off(event: string, then: Function): void}} Model
 * @typedef {"detail" | "timeline" | "document" | "scaling" | "branches"} TabName
 *
 * @typedef {object} Ctx What every view is given.
 * @property {string} view the id of this view of the panel
 * @property {(message: FromView) => void} send says something to the kernel; nothing happens where there is none
 * @property {StoreType} state what is known
 * @property {(kind: string, then: (message: any) => void) => () => void} on
 *   listens to messages of the kernel (`quoted`, `problem`, `branches`, `compared`, …); gives what stops it
 * @property {(key: string | null, options?: {reveal?: boolean, focus?: boolean}) => void} choose
 *   chooses a line of the tree; `reveal` opens what is above it
 * @property {(tab: TabName, focus?: boolean) => void} show brings a tab to the front
 * @property {(text: string) => void} say tells a person something, also one who does not see it
 * @property {(text: string, what?: string) => Promise<boolean>} copy puts a text into the clipboard, and says so
 * @property {() => void} later updates all views in sight with the next frame
 * @property {typeof el} el makes an element
 * @property {typeof svg} svg makes a part of a picture
 * @property {typeof put} put sets a text where it is new
 * @property {typeof mark} mark sets an attribute where it is new
 * @property {typeof button} button makes a button
 * @property {typeof format} format words and figures for people, and `clean`
 */

import { branchesView } from './branches.js';
import { copyText } from './copying.js';
import { decideView } from './decide.js';
import { detailView } from './detail.js';
import { button, el, keepPresses, mark, put, svg } from './dom.js';
import { clean, compact, count, duration, line, money, statusWord, usageLine } from './format.js';
import { keepFocus } from './focus.js';
import { headView } from './head.js';
import { makeLayout } from './layout.js';
import { scalingView } from './scaling.js';
import { Store } from './store.js';
import { stripView } from './strip.js';
import { timelineView } from './timeline.js';
import { treeView } from './tree.js';

const DETAIL_EVERY_MS = 400;
const CHOOSE_MS = 60; // a key held down must not ask for the texts of every node it passes
const READY_EVERY_MS = 5000;
const CLOCK_MS = 500;
const SETTLED_MS = 4_000; // a little longer than a Jupyter server drops what exceeds its rate
const SILENT_MS = 15_000; // after this, a kernel that should be at work is asked whether it is there
const GONE_MS = 15_000;
/** What words and figures a view may use. */
const format = { clean, compact, count, duration, line, money, statusWord, usageLine };
let frames = 0;

/** One view of the panel. Owns its elements, timers and listeners; `close` gives all of them back. */
class Frame {
  /** @param {Model} model @param {HTMLElement} host */
  constructor(model, host) {
    this.model = model;
    this.id = `rlm-panel-${++frames}-${Math.random().toString(36).slice(2, 10)}`;
    this.store = new Store();
    this.frame = 0;
    this.asking = 0;
    this.asked = 0;
    this.watched = '';
    /** Of the last delta. */
    this.seq = 0;
    /** @type {any} */
    this.settling = 0;
    /** When the kernel spoke last, and since when it owes an answer; milliseconds. */
    this.heard = 0;
    this.unanswered = 0;
    /** @type {Map<string, Set<(message: any) => void>>} */
    this.listeners = new Map();
    /** @type {Array<() => void>} */
    this.undo = [];
    this.layout = makeLayout(host, this.id);
    this.ctx = this.makeContext();
    this.tree = treeView(this.layout.tree, this.ctx);
    /** The views that are always in sight. @type {PanelView[]} */
    this.fixed = [headView(this.layout.head, this.ctx), decideView(this.layout.decide, this.ctx), this.tree];
    /** @type {Record<TabName, PanelView>} */
    this.tabs = {
      detail: detailView(this.layout.tabs.detail, this.ctx),
      timeline: timelineView(this.layout.tabs.timeline, this.ctx),
      document: stripView(this.layout.tabs.document, this.ctx),
      scaling: scalingView(this.layout.tabs.scaling, this.ctx),
      branches: branchesView(this.layout.tabs.branches, this.ctx)
    };
    this.focus = keepFocus(this.layout.root, () => this.tree.bring(true));
    keepPresses(this.layout.root);
    this.layout.onChange(() => this.later());
    this.listen();
    this.send({ kind: 'ready', view: this.id });
    void this.showPicture();
    this.later();
  }

  /** @returns {Ctx} */
  makeContext() {
    return {
      view: this.id,
      send: message => this.send(message),
      state: this.store,
      on: (kind, then) => this.on(kind, then),
      choose: (key, options) => this.choose(key, options),
      show: (tab, focus) => this.layout.show(tab, focus ?? false),
      say: text => this.layout.say(text),
      copy: (text, what) => copyText(text, what ?? 'Copied.', this.layout),
      later: () => this.later(),
      el,
      svg,
      put,
      mark,
      button,
      format
    };
  }

  listen() {
    /** @param {any} message */
    const onMessage = message => this.hear(message);
    this.model.on('msg:custom', onMessage);
    this.undo.push(() => this.model.off('msg:custom', onMessage));
    // Jupyter says that the connection changed, not how: whoever is still there answers.
    const onComm = () => {
      this.lost();
      this.send({ kind: 'ready', view: this.id });
    };
    this.model.on('comm_live_update', onComm);
    this.model.on('comm:close', onComm);
    this.undo.push(() => {
      this.model.off('comm_live_update', onComm);
      this.model.off('comm:close', onComm);
    });
    const clock = setInterval(() => this.tick(), CLOCK_MS);
    // A picture of which a part was lost on the way is asked for again; a saved notebook has nobody to answer.
    const again = setInterval(() => {
      if (this.store.expected > 0) this.send({ kind: 'ready', view: this.id });
    }, READY_EVERY_MS);
    this.undo.push(() => clearInterval(clock));
    this.undo.push(() => clearInterval(again));
  }

  /** Times go on while something runs. A kernel that is asked and says nothing is gone. */
  tick() {
    if (!this.store.live) return;
    const now = Date.now();
    if (this.unanswered && now - this.unanswered > GONE_MS) return this.lost();
    if (this.store.control.state === 'idle') return;
    this.later();
    if (now - this.heard > SILENT_MS) this.send({ kind: 'alive' });
  }

  close() {
    this.send({ kind: 'watch', id: null, view: this.id });
    for (const undo of this.undo) undo();
    for (const view of [...this.fixed, ...Object.values(this.tabs)]) view.destroy();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.asking);
    clearTimeout(this.settling);
    this.focus.destroy();
    this.layout.close();
  }

  /** @param {FromView} message */
  send(message) {
    if (message.kind !== 'watch') this.unanswered ||= Date.now();
    try {
      this.model.send(message);
    } catch (error) {
      console.warn('rlm-kernel: the kernel cannot be reached', error); // a saved notebook without a kernel
      this.lost();
    }
  }

  lost() {
    this.unanswered = 0;
    this.store.lose();
    this.later();
  }

  /** @param {string} kind @param {(message: any) => void} then */
  on(kind, then) {
    const all = this.listeners.get(kind) ?? new Set();
    this.listeners.set(kind, all.add(then));
    return () => void all.delete(then);
  }

  // ---- what the kernel says ----------------------------------------------------------------------------------

  /** @param {any} message */
  hear(message) {
    this.heard = Date.now();
    this.unanswered = 0;
    if (message.view !== undefined && message.view !== this.id) return;
    if (message.kind === 'delta' || message.kind === 'snapshot') this.takeRows(message);
    else if (message.kind === 'detail') this.store.takeTexts(message.texts);
    else if (message.kind === 'text') this.takePiece(message);
    else if (message.kind === 'told') this.layout.say(message.text);
    for (const then of this.listeners.get(message.kind) ?? []) then(message);
    this.later();
  }

  /** @param {import('./store').Delta | import('./store').Snapshot} message */
  takeRows(message) {
    const before = this.store.node;
    if (message.kind === 'delta') {
      if (this.store.phase === 'gone' || this.missed(message.seq)) this.send({ kind: 'ready', view: this.id });
      // What was dropped last shows only with the next message: one is asked for when all is over.
      if (message.nodes.length) {
        clearTimeout(this.settling);
        this.settling = setTimeout(() => this.store.live && this.send({ kind: 'alive' }), SETTLED_MS);
      }
    }
    this.store.take(message);
    const now = this.store.node;
    // A run that is over is renewed when its citations have been looked up.
    const renewed = now !== before && !!now?.ended;
    if (now && (!before || renewed || sign(now) !== sign(before))) this.askTexts(DETAIL_EVERY_MS);
  }

  /** Whether messages were dropped on the way before this one. @param {number} seq */
  missed(seq) {
    const before = this.seq;
    this.seq = seq;
    return before > 0 && seq > before + 1;
  }

  /** @param {import('./store').Piece} message */
  takePiece(message) {
    if (this.store.takePiece(message)) return;
    const known = this.store.texts?.[message.part] ?? '';
    this.send({ kind: 'piece', id: message.node_id, part: message.part, pos: known.length });
  }

  /** Show the picture that a saved notebook keeps, until the kernel speaks. */
  async showPicture() {
    const bytes = this.model.get('picture');
    if (!bytes || !bytes.byteLength) return;
    try {
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
      this.store.takePicture(JSON.parse(await new Response(stream).text()));
    } catch (error) {
      console.warn('rlm-kernel: the saved picture of the calls cannot be read', error);
    }
    this.later();
  }

  // ---- choosing ----------------------------------------------------------------------------------------------

  /** @param {string | null} key @param {{reveal?: boolean, focus?: boolean}} [options] */
  choose(key, options = {}) {
    if (key !== null && options.reveal) this.store.outline.reveal(key);
    this.store.choose(key);
    this.tree.bring(options.focus ?? false);
    this.askTexts(0);
    this.later();
  }

  /** Ask for the long texts of the chosen node, and for what they grow by. @param {number} every */
  askTexts(every) {
    if (this.asking) return;
    const wait = Math.max(CHOOSE_MS, this.asked + every - Date.now());
    this.asking = setTimeout(() => {
      this.asking = 0;
      this.asked = Date.now();
      const id = this.store.node?.id ?? '';
      if (id !== this.watched) this.send({ kind: 'watch', id: id || null, view: this.id });
      this.watched = id;
      if (id) this.send({ kind: 'detail', id });
    }, wait);
  }

  // ---- drawing -----------------------------------------------------------------------------------------------

  /** Draw with the next frame; many messages make one drawing. */
  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    this.layout.update(this.store);
    for (const view of this.fixed) view.update(this.store);
    this.tabs[this.layout.tab()].update(this.store);
    this.focus.check();
  }
}

/** What of a row tells that its texts are new. @param {import('./facts').Row} row */
function sign(row) {
  return [row.status, row.outcome, row.error, row.ended, row.cell_id, row.cached].join('|');
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el: host }) {
  const frame = new Frame(model, host);
  return () => frame.close();
}

export default { render };
