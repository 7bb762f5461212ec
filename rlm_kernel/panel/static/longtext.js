// @ts-check
/**
 * A long text on the page: cut until a person wants all of it, laid out in blocks so that five million characters do
 * not stop the page, and growing at its end while a model writes.
 */
import { addText } from './code.js';
import { button, el, put } from './dom.js';

const CUT_CHARS = 3_000;
const CUT_LINES = 40;
const BLOCK = 8_000; // characters the browser lays out at once; blocks out of sight cost nothing

/** Where a text is cut as long as a person did not ask for all of it. @param {string} text */
function cutAt(text) {
  if (text.length > CUT_CHARS * 1.2) {
    const newline = text.lastIndexOf('\n', CUT_CHARS);
    return lineCut(text.slice(0, newline > CUT_CHARS / 2 ? newline : whole(text, CUT_CHARS)));
  }
  return lineCut(text);
}

/** @param {string} text */
function lineCut(text) {
  let at = -1;
  for (let lines = 0; lines < CUT_LINES; lines += 1) {
    at = text.indexOf('\n', at + 1);
    if (at < 0) return text.length;
  }
  return text.length - at < 400 ? text.length : at;
}

/** Do not cut a character in two. @param {string} text @param {number} at */
function whole(text, at) {
  const code = text.charCodeAt(at - 1);
  return code >= 0xd800 && code < 0xdc00 ? at - 1 : at;
}

/** Split into blocks, at ends of lines where there are some. The blocks of a text that grew begin with the old ones.
 * @param {string} text */
function blocks(text) {
  /** @type {string[]} */
  const all = [];
  let from = 0;
  while (text.length - from > BLOCK) {
    const newline = text.lastIndexOf('\n', from + BLOCK - 1);
    const to = newline > from + BLOCK / 2 ? newline + 1 : whole(text, from + BLOCK);
    all.push(text.slice(from, to));
    from = to;
  }
  all.push(text.slice(from));
  return all;
}

/** A text with *Show all*. Give it anew with `set`; it is laid out only where it changed. */
export class LongText {
  /** @param {() => void} askMore called when a person wants more than there is here */
  constructor(askMore = () => {}) {
    this.askMore = askMore;
    this.text = '';
    this.total = 0;
    this.all = false;
    this.pre = el('pre', { class: 'rlm-text', tabindex: '0', dir: 'auto' });
    this.more = button('', () => this.toggle(), { class: 'rlm-more', hidden: true });
    this.element = el('div', { class: 'rlm-longtext' }, this.pre, this.more);
    /** @type {string[]} */
    this.drawn = [];
  }

  /**
   * @param {string} text what is here of it
   * @param {number} [total] characters of the whole text, where that is more
   * @param {boolean} [grows] whether a model still writes: then all is shown, and the end stays in sight
   */
  set(text, total = text.length, grows = false) {
    if (grows) this.all = true;
    if (text === this.text && total === this.total && this.drawn.length) return;
    const more = this.all && !grows && this.drawn.length > 0 && text.startsWith(this.text);
    this.text = text;
    this.total = Math.max(total, text.length);
    if (more && this.total > text.length) this.wait();
    else this.draw(grows);
  }

  toggle() {
    this.all = !this.all;
    this.draw(false);
  }

  /** @param {boolean} follow */
  draw(follow) {
    const cut = cutAt(this.text);
    const shown = this.all ? this.text : this.text.slice(0, cut);
    const atEnd = this.pre.scrollTop + this.pre.clientHeight >= this.pre.scrollHeight - 8;
    this.fill(blocks(shown));
    if (follow && atEnd) this.pre.scrollTop = this.pre.scrollHeight;
    const missing = this.total > this.text.length;
    this.more.hidden = cut === this.text.length && !missing;
    if (!this.all) put(this.more, `Show all ${this.total.toLocaleString('en')} characters`);
    else if (!missing) put(this.more, 'Show less');
    else this.wait();
  }

  /** Say how much has come of a text that comes in pieces: it is laid out once, when all of it is here. */
  wait() {
    put(this.more, `${this.text.length.toLocaleString('en')} of ${this.total.toLocaleString('en')} characters …`);
    this.askMore();
  }

  /** @param {string[]} wanted */
  fill(wanted) {
    while (this.drawn.length > wanted.length) {
      this.drawn.pop();
      this.pre.lastElementChild?.remove();
    }
    wanted.forEach((text, index) => {
      if (this.drawn[index] === text) return;
      const block = el('span', { class: wanted.length > 1 ? 'rlm-block rlm-block-far' : 'rlm-block' });
      addText(block, text);
      const old = this.pre.children[index];
      if (old) old.replaceWith(block);
      else this.pre.append(block);
      this.drawn[index] = text;
    });
  }
}

/**
 * A button that puts a text on the clipboard, exactly as it was written.
 * @param {import('./panel').Ctx} ctx
 * @param {string} what for people: what is copied
 * @param {() => string | Promise<string>} get
 */
export function copyButton(ctx, what, get) {
  const copy = async () => ctx.copy(await get(), `Copied ${what}.`);
  return button('Copy', () => void copy(), { class: 'rlm-copy-part', 'aria-label': `Copy ${what}` });
}
