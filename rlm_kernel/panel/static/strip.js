// @ts-check
/**
 * The document: which parts of it the calls of a question were given to read, who read a part, and what stands there.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./store').Row} Row
 * @typedef {import('./store').Store} StoreType
 * @typedef {import('./generated').CoverageMessage} CoverageMessage
 */

import { el, put } from './dom.js';
import { line } from './format.js';
import { PassageViewer, ReaderList } from './passage.js';
import { charsOf, percent } from './picture.js';
import { StripBar } from './stripbar.js';

const EVERY_MS = 1000; // while a run lasts
const PICK_MS = 80; // a key held down in the tree must not ask at every line
const SLOW_MS = 500;
const GLIMPSE = 1_500; // characters of a chosen part that are shown
const NOTHING_ASKED = 'No question yet: here is shown which parts of the document the calls of a question have read.';
const NO_KERNEL = 'What was read of the document is shown while the kernel runs. Run %rlm panel for the live one.';
const WAITS = 'Python is at work: the passage comes when its cell has run.';

/** @param {HTMLElement} host @param {Ctx} ctx @returns {import('./panel').PanelView} */
export function stripView(host, ctx) {
  const tab = new DocumentTab(host, ctx);
  return { update: state => tab.update(state), destroy: () => tab.destroy() };
}

/** The tab: asks for what it shows, at most once a second. */
class DocumentTab {
  /** @param {HTMLElement} host @param {Ctx} ctx */
  constructor(host, ctx) {
    this.ctx = ctx;
    /** @type {CoverageMessage | null} */
    this.told = null;
    this.asked = { key: '', at: 0, row: /** @type {Row | null} */ (null) };
    this.timer = 0;
    this.slow = 0;
    /** A question that is to be chosen when its row has come. */
    this.wanted = '';
    /** @type {import('./generated').PassageMessage | null} */
    this.passage = null;
    /** @type {import('./generated').ReadersMessage | null} */
    this.readers = null;
    this.words = el('p', { class: 'rlm-strip-words' });
    this.ownWords = el('p', { class: 'rlm-strip-words rlm-strip-own-words' });
    this.bar = new StripBar(part => this.choosePart(part));
    this.waits = el('p', { class: 'rlm-note', role: 'status', hidden: true }, WAITS);
    this.list = new ReaderList(ctx);
    this.viewer = new PassageViewer(ctx, () => this.close());
    this.spoken = el('div', { class: 'rlm-unseen', role: 'status' });
    this.host = host;
    this.below = el('div', { class: 'rlm-strip-below', hidden: true }, this.viewer.element, this.list.element);
    this.element = el(
      'div',
      { class: 'rlm-document' },
      this.words,
      this.bar.element,
      this.ownWords,
      this.waits,
      this.below,
      this.spoken
    );
    host.append(this.element);
    this.off = [
      ctx.on('coverage', message => this.takeCoverage(message)),
      ctx.on('readers', message => this.takeReaders(message)),
      ctx.on('passage', message => this.takePassage(message)),
      ctx.on('problem', () => this.wait(false))
    ];
  }

  destroy() {
    clearTimeout(this.timer);
    clearTimeout(this.slow);
    for (const off of this.off) off();
    this.element.remove();
  }

  /** The question that is looked at: that of the chosen line, else the last one. @returns {Row | null} */
  run() {
    const { state } = this.ctx;
    if (state.chosen === null) return state.lastRun();
    const id = state.batches.get(state.chosen)?.ids[0] ?? state.chosen;
    return state.root(id) ?? state.lastRun();
  }

  /** @param {StoreType} state */
  update(state) {
    if (this.wanted && state.rows.has(this.wanted)) {
      const id = this.wanted;
      this.wanted = '';
      if (this.run()?.id !== id) this.ctx.choose(id, { reveal: true });
    }
    const run = this.run();
    const told = run && this.told?.id === run.id ? this.told : null;
    if (run && state.live) this.ask(state, run);
    const coverage = told?.coverage?.length ? told.coverage : null;
    put(this.words, this.headline(run, told));
    this.bar.element.hidden = !coverage;
    put(this.ownWords, coverage && told ? ownText(state, told) : '');
    this.ownWords.hidden = !this.ownWords.textContent;
    const passage = this.passage && this.passage.id === run?.id ? this.passage : null;
    const shown = passage?.passage ?? null;
    if (coverage && told) {
      const place = shown && passage?.number !== null && !shown.source ? { start: shown.start, end: shown.end } : null;
      this.bar.set(coverage, told.own, place);
    }
    const readers = this.readers && this.readers.id === run?.id ? this.readers : null;
    this.below.hidden = !passage && !readers;
    this.list.element.hidden = !readers && (!passage || passage.state === 'nowhere' || !coverage);
    if (readers) this.list.set(readers.ids, readers.count, readers.complete);
    else if (passage) this.list.set(passage.readers, passage.readers.length, true);
  }

  /** @param {Row | null} run @param {CoverageMessage | null} told */
  headline(run, told) {
    if (!run) return NOTHING_ASKED;
    if (!told) return this.ctx.state.live ? 'Loading…' : NO_KERNEL;
    const name = told.coverage?.name ? `${line(told.coverage.name, 80)}: ` : '';
    return `${name}${told.text}`;
  }

  /** Ask where something else is looked at, or something is new. @param {StoreType} state @param {Row} run */
  ask(state, run) {
    const group = state.chosen === null ? undefined : state.batches.get(state.chosen);
    const of = group ? group.parent : (state.node?.id ?? null);
    const batch = group ? group.batch : null;
    const key = `${run.id} ${of} ${batch}`;
    const other = key !== this.asked.key;
    const fresh = run !== this.asked.row || run.outcome === null;
    if ((!other && !fresh) || this.timer) return;
    const wait = other ? PICK_MS : Math.max(0, this.asked.at + EVERY_MS - Date.now());
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.asked = { key, at: Date.now(), row: run };
      this.ctx.send({ kind: 'coverage', view: this.ctx.view, id: run.id, of, batch });
      this.ctx.later();
    }, wait);
  }

  /** @param {CoverageMessage} message */
  takeCoverage(message) {
    this.told = message;
  }

  // ---- a part of the picture ---------------------------------------------------------------------------------

  /** @param {import('./stripbar').Part} part */
  choosePart(part) {
    const coverage = this.told?.coverage;
    if (!coverage || !this.told) return;
    const { id } = this.told;
    const { start, end } = charsOf(coverage.length, coverage.strip.length, part.from, part.to);
    this.passage = null;
    this.readers = null;
    this.viewer.set(null);
    this.wait(true);
    this.ctx.send({ kind: 'readers', view: this.ctx.view, id, start, end });
    const last = Math.min(end, start + GLIMPSE);
    this.ctx.send({ kind: 'passage', view: this.ctx.view, id, start, end: last, around: 200 });
  }

  /** @param {import('./generated').ReadersMessage} message */
  takeReaders(message) {
    this.readers = message;
    const calls = message.count === 1 ? '1 call' : `${message.count.toLocaleString('en')} calls`;
    put(this.spoken, `Read by ${calls}.`);
  }

  /** @param {import('./generated').PassageMessage} message */
  takePassage(message) {
    this.wait(false);
    this.passage = message;
    if (message.number !== null) {
      this.readers = null;
      this.bar.take(null);
      this.wanted = message.id;
      this.ctx.show('document');
      const where = line(message.citation?.where ?? '', 120);
      const words = [`Citation ${message.number + 1} of ${message.count}`, message.citation?.status, where];
      put(this.spoken, words.filter(Boolean).join(', '));
    }
    // Of a part that was chosen, who read it is the news; of a citation, what stands there.
    this.below.append(
      ...(message.number === null ? [this.list.element, this.viewer.element] : [this.viewer.element, this.list.element])
    );
    this.ctx.later();
    this.viewer.set(message);
    requestAnimationFrame(() => this.bring());
  }

  /** Bring the passage into sight: in the tab only, not in the page around it. */
  bring() {
    this.viewer.centre();
    const box = this.below.getBoundingClientRect();
    const room = this.host.getBoundingClientRect();
    if (box.bottom > room.bottom) this.host.scrollTop += Math.min(box.bottom - room.bottom, box.top - room.top);
  }

  /** Say after a moment that a running cell is waited for. @param {boolean} on */
  wait(on) {
    clearTimeout(this.slow);
    this.waits.hidden = true;
    if (on) this.slow = setTimeout(() => (this.waits.hidden = false), SLOW_MS);
  }

  close() {
    this.passage = null;
    this.readers = null;
    this.viewer.set(null);
    this.bar.take(null);
    this.bar.bar.focus();
    this.ctx.later();
  }
}

/** How much the chosen line has read. @param {StoreType} state @param {CoverageMessage} told */
function ownText(state, told) {
  const row = told.of === null ? null : state.rows.get(told.of);
  if (!row || row.parent_id === null) return '';
  const what = told.batch !== null ? 'calls' : row.kind === 'run' ? 'child run' : row.kind;
  const verb = told.batch !== null ? 'have' : 'has';
  return told.own.length
    ? `The chosen ${what} ${verb} read ${percent(told.own_share)} of it (second line).`
    : `The chosen ${what} ${verb} read nothing of it.`;
}
