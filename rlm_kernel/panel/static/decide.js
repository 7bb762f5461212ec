// @ts-check
/**
 * What waits for a person: cells that the model wants to run, and large batches of calls with what they would cost.
 *
 * @typedef {import('./generated').WaitingDict} Waiting
 * @typedef {import('./generated').CallsQuoteDict} CallsQuote
 * @typedef {import('./generated').DecisionDict} Decision
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./panel').PanelView} PanelView
 */

import { codeBlock } from './code.js';
import { button, el, put } from './dom.js';
import { clean, count, line, money } from './format.js';

let cardNumber = 0;

/** @param {HTMLElement} host @param {Ctx} ctx @returns {PanelView} */
export function decideView(host, ctx) {
  /** @type {Map<string, Card>} */
  const cards = new Map();
  return {
    update(state) {
      const waiting = state.live ? state.control.waiting : [];
      host.hidden = waiting.length === 0;
      const ids = new Set(waiting.map(each => each.id));
      for (const [id, card] of cards) {
        if (ids.has(id)) continue;
        card.destroy();
        cards.delete(id);
      }
      for (const each of waiting) {
        if (cards.has(each.id)) continue;
        const card = new Card(ctx, each);
        cards.set(each.id, card);
        host.append(card.element);
        ctx.say(card.title);
      }
    },
    destroy() {
      for (const card of cards.values()) card.destroy();
      cards.clear();
    }
  };
}

/** What a batch of calls would take, for people; what is not known is said to be unknown. @param {CallsQuote} quote */
export function callsText(quote) {
  const asked = Math.max(0, quote.calls - quote.cached);
  const word = quote.kind === 'rlm' ? 'child run' : 'call';
  const parts = [`${count(quote.calls, word)} to ${line(quote.model, 60)}`];
  parts.push(
    quote.cached
      ? `${quote.cached.toLocaleString('en')} of them cached, ${asked.toLocaleString('en')} to be paid`
      : 'none cached'
  );
  parts.push(quote.tokens === null ? 'tokens unknown' : `about ${quote.tokens.toLocaleString('en')} tokens`);
  parts.push(
    quote.cost_usd === null ? 'cost unknown' : quote.cost_usd === 0 ? 'free' : `about ${money(quote.cost_usd)}`
  );
  return parts.join(' · ');
}

/** One thing that waits. It stays as the person has it until it is decided. */
class Card {
  /** @param {Ctx} ctx @param {Waiting} waiting */
  constructor(ctx, waiting) {
    this.ctx = ctx;
    this.waiting = waiting;
    this.title = waiting.kind === 'cell' ? 'The model’s cell waits for you' : 'A batch of calls waits for you';
    this.area = el('div', { class: 'rlm-decide-area' });
    this.buttons = el('div', { class: 'rlm-buttons' });
    this.problem = el('div', { class: 'rlm-problem', role: 'alert', hidden: true });
    const id = `rlm-card-${++cardNumber}`;
    this.element = el(
      'section',
      { class: 'rlm-card', 'aria-labelledby': id, tabindex: '-1', data: { waiting: waiting.kind } },
      el('h4', { id }, this.title),
      this.area,
      this.problem,
      this.buttons
    );
    this.element.addEventListener('keydown', event => this.pressed(event));
    /** What Ctrl+Enter does now. @type {() => void} */
    this.main = () => {};
    this.atRest = true;
    this.off = ctx.on('problem', /** @param {any} message */ message => this.takeProblem(message));
    this.rest();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    event.stopPropagation(); // else Lab takes the keys for commands of the notebook
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.main();
    else if (event.key === 'Escape' && !this.atRest) {
      this.rest();
      this.focus();
    } else return;
    event.preventDefault();
  }

  focus() {
    this.buttons.querySelector('button')?.focus();
  }

  /** @param {import('./generated').ProblemMessage} problem */
  takeProblem(problem) {
    if (!this.sent || (problem.about !== null && problem.about !== this.waiting.node_id)) return;
    this.enable(true);
    this.problem.hidden = false;
    put(this.problem, clean(`${problem.text} ${problem.remedy}`.trim()));
  }

  /** @param {Decision} decision */
  decide(decision) {
    this.problem.hidden = true;
    this.enable(false);
    this.ctx.send({ kind: 'decide', id: this.waiting.id, decision });
  }

  /** @param {boolean} can */
  enable(can) {
    this.sent = !can;
    for (const each of this.element.querySelectorAll('button')) each.disabled = !can;
  }

  /** The card as it comes: what waits, and what may be decided. */
  rest() {
    this.atRest = true;
    this.main = () => this.decide({ verdict: 'approve' });
    const approve = button('Approve', this.main, { class: 'rlm-primary', title: 'Ctrl+Enter' });
    const always = button('Always', () => this.decide({ verdict: 'always' }), {
      title: 'Approve, and do not ask again in this run'
    });
    if (this.waiting.kind === 'cell') {
      this.area.replaceChildren(...this.reasons(), this.code());
      const edit = button('Edit…', () => this.edit());
      this.buttons.replaceChildren(
        approve,
        edit,
        button('Reject…', () => this.reject()),
        always,
        this.whereButton()
      );
    } else {
      const quote = this.waiting.quote;
      this.area.replaceChildren(
        el('p', { class: 'rlm-calls' }, quote ? callsText(quote) : 'What it costs is unknown.')
      );
      if (this.waiting.code) this.area.append(this.code());
      this.buttons.replaceChildren(
        approve,
        ...this.firstFew(quote),
        button('Refuse…', () => this.reject()),
        always,
        this.whereButton()
      );
    }
  }

  whereButton() {
    const { node_id: id } = this.waiting;
    return button('Show in the tree', () => this.ctx.choose(id, { reveal: true }), { class: 'rlm-quiet' });
  }

  reasons() {
    if (!this.waiting.reasons.length) return [];
    const items = this.waiting.reasons.map(reason =>
      el(
        'li',
        {},
        el('b', {}, `Line ${reason.line}`),
        ` ${clean(reason.why)}: `,
        el('code', {}, line(reason.code, 120))
      )
    );
    return [el('ul', { class: 'rlm-reasons' }, ...items)];
  }

  code() {
    return codeBlock(this.waiting.code, new Map(this.waiting.reasons.map(reason => [reason.line, reason.why])));
  }

  /** Let the first n of the calls through. @param {CallsQuote | null} quote */
  firstFew(quote) {
    const most = quote ? quote.calls : 1_000_000;
    const input = el('input', {
      type: 'number',
      min: '1',
      max: most,
      value: Math.min(10, most),
      'aria-label': 'How many calls'
    });
    const first = () => {
      const number = Math.round(input.valueAsNumber);
      if (number >= 1 && number <= most) this.decide({ verdict: 'first', first: number });
      else input.reportValidity();
    };
    input.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      first();
    });
    return [el('span', { class: 'rlm-first' }, button('Only the first', first), input)];
  }

  edit() {
    this.atRest = false;
    const text = el('textarea', {
      class: 'rlm-mono',
      rows: 10,
      spellcheck: 'false',
      dir: 'ltr',
      'aria-label': 'The cell'
    });
    text.value = this.waiting.code;
    this.main = () => this.decide({ verdict: 'approve', source: text.value });
    this.area.replaceChildren(...this.reasons(), text);
    this.buttons.replaceChildren(
      button('Approve as edited', this.main, { class: 'rlm-primary', title: 'Ctrl+Enter' }),
      button('Back', () => this.back())
    );
    text.focus();
  }

  reject() {
    this.atRest = false;
    const word = this.waiting.kind === 'cell' ? 'Reject' : 'Refuse';
    const reason = el('textarea', { rows: 2, dir: 'auto', 'aria-label': 'Why (the model is told)' });
    reason.placeholder = 'Why? The model is told (may be empty).';
    this.main = () => this.decide({ verdict: 'reject', reason: reason.value.trim() });
    this.area.append(reason);
    this.buttons.replaceChildren(
      button(word, this.main, { class: 'rlm-primary', title: 'Ctrl+Enter' }),
      button('Back', () => this.back())
    );
    reason.focus();
  }

  back() {
    this.rest();
    this.focus();
  }

  destroy() {
    this.off();
    this.element.remove();
  }
}
