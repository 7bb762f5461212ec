// @ts-check
/**
 * A passage of the document: what a citation of an answer stands for, or a part that was chosen in its picture. Shown with
 * what stands around it, and with who read it.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./generated').PassageMessage} Message
 * @typedef {import('./generated').CitationDict} Citation
 */

import { addText } from './code.js';
import { button, el, put } from './dom.js';
import { clean, line } from './format.js';

const AROUND = [400, 2_000, 8_000, 20_000]; // characters before and behind; each step shows more
const READERS_SHOWN = 12;
const MARKS = { found: '✓', differs: '≈', 'not found': '✗' };
const FOUND_WORDS = { found: 'found', differs: 'found with differences', 'not found': 'not found' };

/** The state of a citation: a mark, a word, a colour. @param {Citation['status']} status */
function statusBadge(status) {
  const text = `${MARKS[status]} ${FOUND_WORDS[status]}`;
  return el('span', { class: 'rlm-cite-status', data: { status } }, text);
}

/** The calls that have read something, each a button that chooses it in the tree. */
export class ReaderList {
  /** @param {Ctx} ctx */
  constructor(ctx) {
    this.ctx = ctx;
    this.all = false;
    this.title = el('h4', { class: 'rlm-readers-title' });
    this.list = el('ul', { class: 'rlm-readers' });
    this.more = button('', () => this.showAll(), { class: 'rlm-more', hidden: true });
    this.element = el('div', { class: 'rlm-readers-box' }, this.title, this.list, this.more);
    /** @type {string[]} */
    this.ids = [];
    this.count = 0;
    this.complete = true;
    this.drawn = '';
  }

  /** @param {string[]} ids @param {number} count @param {boolean} complete */
  set(ids, count, complete) {
    this.all = this.all && ids.join() === this.ids.join();
    this.ids = ids;
    this.count = count;
    this.complete = complete;
    this.draw();
  }

  showAll() {
    this.all = true;
    this.draw();
  }

  draw() {
    const { state } = this.ctx;
    const shown = this.all ? this.ids : this.ids.slice(0, READERS_SHOWN);
    const rows = shown.map(id => state.rows.get(id));
    const drawn = JSON.stringify([shown, rows.map(row => [row?.label, row?.status]), state.chosen, this.count]);
    if (drawn === this.drawn) return;
    const focused = /** @type {HTMLElement | null} */ (this.list.querySelector(':focus'))?.dataset.id;
    this.drawn = drawn;
    const known = this.complete ? '' : ', as far as it was kept';
    const calls = `${this.count.toLocaleString('en')} ${this.count === 1 ? 'call' : 'calls'}`;
    put(this.title, this.count ? `Read by ${calls}${known}` : `Read by no call${known}`);
    this.list.replaceChildren(
      ...shown.map((id, at) => {
        const row = rows[at];
        const label = row ? line(row.label, 100) : 'A call that is not in the tree any more';
        const choose = button(label, () => this.ctx.choose(id, { reveal: true }), {
          class: 'rlm-link',
          disabled: !row,
          'aria-current': id === state.chosen ? 'true' : null,
          data: { id }
        });
        if (id === focused) queueMicrotask(() => choose.focus());
        return el('li', {}, choose);
      })
    );
    this.more.hidden = shown.length >= this.ids.length;
    put(this.more, `Show ${(this.ids.length - shown.length).toLocaleString('en')} more`);
  }
}

/** What stands at a place of the document. */
export class PassageViewer {
  /** @param {Ctx} ctx @param {() => void} close */
  constructor(ctx, close) {
    this.ctx = ctx;
    /** @type {Message | null} */
    this.message = null;
    this.step = 0;
    this.title = el('h4', { class: 'rlm-title' });
    this.where = el('p', { class: 'rlm-facts' });
    this.said = el('blockquote', { class: 'rlm-cite-said', hidden: true });
    this.difference = el('p', { class: 'rlm-cite-difference', hidden: true });
    this.problem = el('p', { class: 'rlm-note', hidden: true });
    this.text = el('pre', { class: 'rlm-text rlm-passage', tabindex: '0', dir: 'auto' });
    this.before = button('‹', () => this.go(-1), { 'aria-label': 'Previous citation of the answer' });
    this.after = button('›', () => this.go(1), { 'aria-label': 'Next citation of the answer' });
    this.wider = button('Show more around', () => this.widen());
    this.copy = button('Copy', () => void this.copyText(), { 'aria-label': 'Copy the passage with its place' });
    this.shut = button('✕', close, { class: 'rlm-quiet', 'aria-label': 'Close the passage' });
    this.element = el(
      'section',
      { class: 'rlm-passage-box', 'aria-label': 'Passage', hidden: true },
      el('div', { class: 'rlm-passage-head' }, this.before, this.after, this.title, this.shut),
      this.where,
      this.said,
      this.difference,
      this.problem,
      this.text,
      el('div', { class: 'rlm-passage-buttons' }, this.wider, this.copy)
    );
  }

  /** Show a message; null: nothing. @param {Message | null} message */
  set(message) {
    const same = message && this.message && key(message) === key(this.message);
    if (!same) this.step = 0;
    this.message = message;
    this.element.hidden = !message;
    if (message) this.draw(message);
  }

  /** @param {Message} message */
  draw(message) {
    const { citation, passage, number } = message;
    const cited = citation !== null && number !== null;
    this.element.dataset.state = message.state;
    this.title.replaceChildren(
      ...(cited ? [`Citation ${number + 1} of ${message.count}: `, statusBadge(citation.status)] : ['Chosen part'])
    );
    put(this.where, whereWords(message));
    // What was found as it stands needs no second copy of it.
    this.said.hidden = !cited || citation.status === 'found';
    this.said.replaceChildren('The answer says: ', ...pieces(cited ? citation.text.slice(0, 2000) : ''));
    put(this.difference, cited ? clean(citation.difference) : '');
    this.difference.hidden = !cited || !citation.difference || message.state === 'nowhere';
    put(this.problem, clean(message.text));
    this.problem.hidden = !message.text;
    this.text.hidden = !passage;
    if (passage) this.drawText(passage);
    this.before.hidden = this.after.hidden = !cited;
    this.before.disabled = !number;
    this.after.disabled = number === null || number + 1 >= message.count;
    this.wider.hidden = message.state !== 'there' || this.step + 1 >= AROUND.length || !more(passage);
    this.copy.hidden = !passage;
  }

  /** @param {import('./generated').PassageDict} passage */
  drawText(passage) {
    const highlight = el('mark', { class: 'rlm-passage-mark' }, ...pieces(passage.passage));
    if (passage.left_out)
      highlight.append(
        el('span', { class: 'rlm-passage-out' }, ` … ${passage.left_out.toLocaleString('en')} characters left out … `)
      );
    this.text.replaceChildren(
      el(
        'span',
        { class: 'rlm-passage-around' },
        passage.before && passage.start > [...passage.before].length ? '…' : '',
        ...pieces(passage.before)
      ),
      highlight,
      el(
        'span',
        { class: 'rlm-passage-around' },
        ...pieces(passage.after),
        passage.end + [...passage.after].length < passage.length ? '…' : ''
      )
    );
  }

  /** Bring the passage into sight within what stands around it. */
  centre() {
    const highlight = this.text.querySelector('.rlm-passage-mark');
    if (!highlight) return;
    const box = this.text.getBoundingClientRect();
    this.text.scrollTop += highlight.getBoundingClientRect().top - box.top - box.height / 4;
  }

  // ---- buttons -----------------------------------------------------------------------------------------------

  /** @param {number} by */
  go(by) {
    if (this.message?.number === null || !this.message) return;
    askCitation(this.ctx, this.message.id, this.message.number + by);
  }

  widen() {
    const { message } = this;
    if (!message) return;
    this.step = Math.min(this.step + 1, AROUND.length - 1);
    const around = AROUND[this.step];
    if (message.number !== null) askCitation(this.ctx, message.id, message.number, around);
    else if (message.passage) {
      const { start, end } = message.passage;
      this.ctx.send({ kind: 'passage', view: this.ctx.view, id: message.id, start, end, around });
    }
  }

  async copyText() {
    const passage = this.message?.passage;
    if (passage) await this.ctx.copy(`“${passage.passage}” (${passage.where})`, 'Copied the passage with its place.');
  }
}

/** Ask for a citation of an answer. @param {Ctx} ctx @param {string} id @param {number} number @param {number} [around] */
export function askCitation(ctx, id, number, around = AROUND[0]) {
  ctx.send({ kind: 'passage', view: ctx.view, id, number, around });
}

/** What an answer cites: a list in the detail of its question. */
export class Citations {
  /** @param {Ctx} ctx @param {string} id of the question */
  constructor(ctx, id) {
    this.ctx = ctx;
    this.id = id;
    this.element = el('ol', { class: 'rlm-citations' });
    this.drawn = '';
    this.sum = '';
  }

  /** @param {import('./generated').CitedDict[]} citations */
  set(citations) {
    const drawn = JSON.stringify(citations);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      const found = citations.filter(each => each.status === 'found').length;
      this.sum = found === citations.length ? 'all found' : `${found} of ${citations.length} found as they stand`;
      this.element.replaceChildren(
        ...citations.map((each, number) => {
          const text = line(each.text, 160);
          const open = button(text, () => this.open(number), { class: 'rlm-link', 'aria-label': `Show: ${text}` });
          const rest = [each.where, each.difference].filter(Boolean).map(part => line(part, 200));
          return el('li', {}, statusBadge(each.status), ' ', open, rest.length ? ` ${rest.join(' · ')}` : '');
        })
      );
    }
    return citations.length > 0;
  }

  words() {
    return this.sum;
  }

  /** @param {number} number */
  open(number) {
    this.ctx.show('document', true);
    askCitation(this.ctx, this.id, number);
  }
}

/** @param {Message} message */
function key(message) {
  return `${message.id} ${message.number ?? `${message.passage?.start}-${message.passage?.end}`}`;
}

/** @param {Message} message */
function whereWords({ passage, citation }) {
  if (!passage) return '';
  const [start, end, length] = [passage.start, passage.end, passage.length].map(each => each.toLocaleString('en'));
  const of = passage.length ? ` of ${length}` : '';
  const where = citation?.where || passage.where;
  return clean([where, `characters ${start} to ${end}${of}`].filter(Boolean).join(' · '));
}

/** Whether there is more around a passage. @param {import('./generated').PassageDict | null} passage */
function more(passage) {
  if (!passage) return false;
  return passage.start > [...passage.before].length || passage.end + [...passage.after].length < passage.length;
}

/** A text with its odd characters made visible. @param {string} text */
function pieces(text) {
  const host = el('span');
  addText(host, text);
  return [...host.childNodes];
}
