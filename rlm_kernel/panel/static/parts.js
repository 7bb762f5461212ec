// @ts-check
/**
 * The parts of a detail: texts, code, messages, attempts, usage; each can be folded, and most be copied.
 *
 * @typedef {import('./store').Row} Row
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {{element: HTMLElement, set(value: any, total?: number, grows?: boolean): boolean, words?(): string}} Body
 *    What a section holds; `set` says whether there is anything to show.
 */

import { codeBlock } from './code.js';
import { button, el, put } from './dom.js';
import { clean, count, duration, line } from './format.js';
import { LongText, copyButton } from './longtext.js';

const CODE_CUT = 60; // lines of code that stand there at once

/** A part that can be folded, with its title and a copy button. */
export class Section {
  /**
   * @param {Ctx} ctx @param {string} name @param {string} title @param {Body} body
   * @param {(() => string | Promise<string>) | null} copies
   */
  constructor(ctx, name, title, body, copies) {
    this.title = title;
    this.body = body;
    this.words = el('span', { class: 'rlm-part-words' });
    this.details = el('details', { open: true }, el('summary', {}, el('span', {}, title), this.words), body.element);
    this.element = el('div', { class: 'rlm-part', data: { part: name }, hidden: true }, this.details);
    if (copies) this.element.append(copyButton(ctx, `the ${title.toLowerCase()}`, copies));
  }

  /** @param {unknown} value @param {number} [total] @param {boolean} [grows] */
  set(value, total, grows) {
    this.element.hidden = !this.body.set(value, total, grows);
    put(this.words, this.body.words?.() ?? '');
  }
}

/** A text. @implements {Body} */
export class Plain {
  /** @param {() => void} [more] */
  constructor(more) {
    this.long = new LongText(more);
    this.element = this.long.element;
  }

  /** @param {string} text @param {number} [total] @param {boolean} [grows] */
  set(text, total, grows) {
    this.long.set(text, total, grows);
    return text !== '';
  }

  words() {
    return this.long.total > 2000 ? count(this.long.total, 'character') : '';
  }
}

/** Python. @implements {Body} */
export class Code {
  /** @param {() => void} more */
  constructor(more) {
    this.askMore = more;
    this.text = '';
    this.total = 0;
    this.all = false;
    this.more = button('', () => this.toggle(), { class: 'rlm-more', hidden: true });
    this.element = el('div', { class: 'rlm-codebox' }, this.more);
  }

  /** @param {string} text @param {number} [total] */
  set(text, total = text.length) {
    if (text !== this.text || total !== this.total) {
      this.text = text;
      this.total = total;
      if (!this.all || total <= text.length) this.draw();
    }
    return text !== '';
  }

  toggle() {
    this.all = !this.all;
    if (this.all && this.total > this.text.length) this.askMore();
    this.draw();
  }

  draw() {
    const lines = this.text.split('\n');
    const long = lines.length > CODE_CUT * 1.2 || this.total > 20_000;
    const shown = long && !this.all ? lines.slice(0, CODE_CUT).join('\n').slice(0, 20_000) : this.text;
    const old = this.element.querySelector('pre');
    const block = codeBlock(shown);
    if (old) old.replaceWith(block);
    else this.element.prepend(block);
    this.more.hidden = !long;
    put(this.more, this.all ? 'Show less' : `Show all ${count(lines.length, 'line')}`);
  }
}

/** What a model was sent: one foldable block for each message, the last one open. @implements {Body} */
export class Messages {
  constructor() {
    this.element = el('div', { class: 'rlm-messages' });
    this.drawn = '';
  }

  /** @param {Array<{role: string, content: string}>} messages */
  set(messages) {
    const drawn = messages.map(each => `${each.role}:${each.content.length}`).join();
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.element.replaceChildren(...messages.map((each, at) => oneMessage(each, at === messages.length - 1)));
    }
    return messages.length > 0;
  }

  words() {
    return count(this.element.children.length, 'message');
  }
}

/** @param {{role: string, content: string}} message @param {boolean} open */
function oneMessage(message, open) {
  const begin = el('span', { class: 'rlm-part-words' }, line(message.content, 80));
  const details = el(
    'details',
    { class: 'rlm-message', data: { role: message.role }, open },
    el('summary', {}, el('span', { class: 'rlm-role' }, clean(message.role)), begin)
  );
  const fill = () => {
    if (!details.open || details.children.length > 1) return;
    const long = new LongText();
    long.set(message.content);
    details.append(long.element);
  };
  details.addEventListener('toggle', fill);
  fill();
  return details;
}

/** The requests that were made, failed ones too. @implements {Body} */
export class Attempts {
  constructor() {
    this.element = el('div', { class: 'rlm-scroll' });
    this.drawn = '';
  }

  /** @param {import('./generated').AttemptDict[]} attempts */
  set(attempts) {
    const drawn = JSON.stringify(attempts);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      const rows = attempts.map((each, at) =>
        el(
          'tr',
          {},
          el('td', {}, at + 1),
          el('td', {}, clock(each.started)),
          el('td', {}, duration(each.seconds)),
          el('td', {}, each.status ?? ''),
          el('td', {}, each.error ? clean(each.error.slice(0, 5000)) : 'went well')
        )
      );
      const head = ['', 'at', 'took', 'HTTP', 'what came of it'].map(text => el('th', { scope: 'col' }, text));
      this.element.replaceChildren(
        el('table', { class: 'rlm-table' }, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows))
      );
    }
    return attempts.length > 1 || attempts.some(each => each.error);
  }
}

/** @param {number} seconds since the epoch */
function clock(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}

/** What the node itself spent, and with everything below it. @implements {Body} */
export class UsageTable {
  constructor() {
    this.element = el('div', { class: 'rlm-scroll' });
    this.drawn = '';
  }

  /** @param {Row} row */
  set(row) {
    const drawn = JSON.stringify([row.usage, row.total]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      const below = row.total.calls !== row.usage.calls || row.total.input_tokens !== row.usage.input_tokens;
      const rows = [usageRow('own', row.usage), ...(below ? [usageRow('with all below', row.total)] : [])];
      const head = ['', 'calls', 'in', 'cached', 'out', 'cost'].map(text => el('th', { scope: 'col' }, text));
      this.element.replaceChildren(
        el('table', { class: 'rlm-table' }, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows))
      );
    }
    return row.total.calls > 0 || row.total.input_tokens > 0;
  }
}

/** @param {string} name @param {import('./generated').UsageDict} usage */
function usageRow(name, usage) {
  const about = usage.estimated ? '~' : '';
  const cost =
    usage.cost_usd === null
      ? 'unknown'
      : usage.cost_usd === 0
        ? 'free'
        : `$${usage.cost_usd.toFixed(usage.cost_usd >= 1 ? 2 : 4)}`;
  const cells = [usage.calls, usage.input_tokens, usage.cached_tokens, usage.output_tokens];
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, name),
    ...cells.map((value, at) => el('td', {}, (at && at !== 2 ? about : '') + value.toLocaleString('en'))),
    el('td', {}, cost)
  );
}
