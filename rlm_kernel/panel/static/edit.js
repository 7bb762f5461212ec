// @ts-check
/**
 * What a person may change in a node, and the form in which it is changed: first what it will run and cost, then run.
 *
 * @typedef {import('./generated').EditDict} Edit
 * @typedef {import('./generated').QuoteDict} Quote
 * @typedef {import('./generated').ProblemMessage} Problem
 * @typedef {import('./store').Row} Row
 * @typedef {import('./store').Store} StoreType
 * @typedef {NonNullable<Edit['kind']>} EditKind
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./panel').PanelView} PanelView
 * @typedef {{get(): string, whole: boolean}} Present  The text there is now; `whole` once all of it has come.
 */

import { button, el, mark, put } from './dom.js';
import { clean, line } from './format.js';

const DRAFTS_MOST = 50;
const WIDE_TEXT = 100_000; // characters; a line of more is not wrapped in the form, which would stop the page
const ROWS_MOST = 12;
const STEPS = '    '; // what Tab writes in code

/** @type {Record<string, EditKind[]>} */
const FITTING = {
  question: ['prompt', 'again', 'model', 'hint'],
  child: ['prompt', 'reply', 'again', 'model', 'hint'],
  turn: ['code', 'reply', 'again', 'model', 'hint'],
  call: ['prompt', 'reply', 'again', 'model']
};

/** What people wrote and did not run yet, by node and kind; a form that was closed shows it again. @type {Map<string, Edit>} */
const drafts = new Map();
let formNumber = 0;

/** @param {Row} row */
function whatIs(row) {
  if (row.kind !== 'run') return row.kind;
  return row.parent_id === null ? 'question' : 'child';
}

/** The changes that fit a node, in the order of their buttons. @param {StoreType} state @param {Row} row @returns {EditKind[]} */
export function fittingEdits(state, row) {
  const kinds = FITTING[whatIs(row)] ?? [];
  return wasEdited(state, row) ? ['continue', ...kinds] : kinds;
}

/** Whether the person changed and ran a turn's cell: then the turns after it are stale, and it is not.
 * @param {StoreType} state @param {Row} row */
function wasEdited(state, row) {
  if (row.kind !== 'turn' || row.stale) return false;
  const turns = state.children(row.parent_id).filter(id => state.rows.get(id)?.kind === 'turn');
  return state.rows.get(turns[turns.indexOf(row.id) + 1])?.stale === true;
}

/** What the button of a change says. @param {Row} row @param {EditKind} kind */
export function editLabel(row, kind) {
  const reply = row.kind === 'run' ? 'Type the answer…' : 'Type the reply…';
  const prompt = row.kind === 'run' ? 'Edit the question…' : 'Edit the prompt…';
  const labels = {
    prompt,
    reply,
    code: 'Edit the code…',
    again: 'Ask again…',
    model: 'Another model…',
    hint: 'Insert a hint…',
    continue: 'Continue from here…'
  };
  return labels[kind];
}

/** What an edit did, in a few words. @param {Edit | null | undefined} edit */
export function editWords(edit) {
  const model = edit?.model ? ` · model ${line(edit.model, 60)}` : '';
  const text = edit?.text ? `: “${line(edit.text, 60)}”` : '';
  switch (edit?.kind) {
    case 'again':
      return `asked again${model}`;
    case 'model':
      return `another model: ${line(edit.model ?? '', 60)}`;
    case 'prompt':
      return `prompt edited${model}${text}`;
    case 'reply':
      return `reply typed${text}`;
    case 'code':
      return `code edited${text}`;
    case 'hint':
      return `hint${model}${text}`;
    case 'continue':
      return 'gone on from the edited cell';
    default:
      return 'changed';
  }
}

/** Why nothing can be run again now; empty: it can. @param {StoreType} state */
export function whyNot(state) {
  if (!state.live) return 'The kernel is not there: start it, then run again.';
  if (state.control.state !== 'idle') return 'A run is working. Stop it, or wait until it has ended.';
  return '';
}

/** The words around the text of each kind of change. @type {Record<string, {title: string, help: string, text: string}>} */
const FORM_WORDS = {
  prompt: { title: 'Another prompt', text: 'Prompt', help: '' },
  question: { title: 'Another question', text: 'Question', help: '' },
  reply: {
    title: 'A reply in place of the model’s',
    text: 'Reply',
    help: 'The run goes on as if the model had written this; nothing is paid for it.'
  },
  code: { title: 'Another cell', text: 'Python', help: 'Tab writes spaces; leave the field with Escape.' },
  again: {
    title: 'Ask the model again',
    text: '',
    help: 'The same request; the model may answer otherwise this time.'
  },
  model: { title: 'Ask another model', text: '', help: '' },
  hint: { title: 'A hint for the model', text: 'Hint', help: 'The model is told this before it writes.' },
  continue: {
    title: 'Continue from the edited cell',
    text: '',
    help: 'The run goes on with the cell as you ran it, in Python’s present state.'
  }
};

/**
 * The form of one change of one node.
 *
 * Closing it keeps what was written. It closes by itself when the run that it started works.
 *
 * @param {HTMLElement} host
 * @param {Ctx} ctx
 * @param {Row} node
 * @param {EditKind} kind
 * @param {{present: Present, close(): void}} more  `present`: the text to begin with; `close` is called when the form is left
 * @returns {PanelView}
 */
export function editForm(host, ctx, node, kind, more) {
  const form = new EditForm(ctx, node, kind, more);
  host.append(form.element);
  form.update(ctx.state);
  form.element.scrollIntoView({ block: 'nearest' });
  form.first.focus({ preventScroll: true });
  return form;
}

/** See `editForm`. */
class EditForm {
  /** @param {Ctx} ctx @param {Row} node @param {EditKind} kind @param {{present: Present, close(): void}} more */
  constructor(ctx, node, kind, more) {
    this.ctx = ctx;
    this.node = node;
    this.kind = kind;
    this.present = more.present;
    this.close = more.close;
    this.key = `${node.id}:${kind}`;
    this.id = `rlm-form-${++formNumber}`;
    /** What the quote on display is for; null: none yet. @type {string | null} */
    this.quoted = null;
    /** @type {string | null} */
    this.asked = null;
    this.sent = false;
    /** The last question before this one was run again. */
    this.lastBefore = '';
    /** The present text that the field was filled with. @type {string | null} */
    this.filled = null;
    /** What the form says now, as one text. */
    this.sign = '';
    this.touched = drafts.has(this.key);
    const words = FORM_WORDS[kind === 'prompt' && node.kind === 'run' ? 'question' : kind];
    this.hasText = words.text !== '';
    this.text = this.makeText();
    this.models = el('datalist', { id: `${this.id}-models` });
    this.model = this.makeModel();
    this.anyway = el('input', { type: 'checkbox', id: `${this.id}-anyway`, onchange: () => this.changed() });
    this.anywayLine = el('label', { class: 'rlm-check', hidden: true }, this.anyway);
    this.anywayLine.append('Go on also where a cell that is run again shows something else than before');
    this.quoteButton = button('What will it cost?', () => this.askQuote(), { class: 'rlm-quote-button' });
    this.runButton = button('Run again', () => this.run(), { class: 'rlm-primary' });
    this.closeButton = button('Close', () => this.close());
    this.buttons = el('div', { class: 'rlm-buttons' }, this.quoteButton, this.runButton, this.closeButton);
    this.answer = el('div', { class: 'rlm-quote', role: 'status' });
    this.problem = el('div', { class: 'rlm-problem', role: 'alert', hidden: true });
    this.why = el('p', { class: 'rlm-why', id: `${this.id}-why`, hidden: true });
    this.element = this.build(words);
    this.first = this.hasText ? this.text : kind === 'model' ? this.model : this.quoteButton;
    this.undo = [
      ctx.on('quoted', /** @param {any} message */ message => this.takeQuote(message.quote)),
      ctx.on('problem', /** @param {any} message */ message => this.takeProblem(message))
    ];
    this.restore();
    if (kind === 'again' || kind === 'continue') this.askQuote();
  }

  /** @param {{title: string, help: string, text: string}} words */
  build(words) {
    const title = el('h4', { id: `${this.id}-title` }, words.title);
    const form = el(
      'form',
      { class: 'rlm-form', 'aria-labelledby': `${this.id}-title`, data: { kind: this.kind } },
      title
    );
    if (this.hasText) form.append(el('label', { for: `${this.id}-text` }, words.text), this.text);
    if (words.help) form.append(el('p', { class: 'rlm-help' }, words.help));
    if (['prompt', 'again', 'model', 'hint'].includes(this.kind)) {
      const label = this.kind === 'model' ? 'Model' : 'Model (empty: as before)';
      form.append(el('label', { for: `${this.id}-model` }, label), this.model, this.models);
    }
    form.append(this.anywayLine, this.problem, this.answer, this.why);
    form.append(this.buttons);
    form.addEventListener('keydown', event => this.pressed(event));
    form.addEventListener('submit', event => event.preventDefault());
    return form;
  }

  makeText() {
    const area = el('textarea', {
      id: `${this.id}-text`,
      rows: 3,
      spellcheck: this.kind === 'code' ? 'false' : 'true'
    });
    if (this.kind === 'code') area.classList.add('rlm-mono');
    area.dir = this.kind === 'code' ? 'ltr' : 'auto';
    area.addEventListener('input', () => {
      this.touched = true;
      this.changed();
    });
    return area;
  }

  makeModel() {
    const field = el('input', { type: 'text', id: `${this.id}-model`, list: `${this.id}-models`, autocomplete: 'off' });
    field.spellcheck = false;
    field.addEventListener('input', () => this.changed());
    return field;
  }

  /** Fill in what was written before, or what there is. */
  restore() {
    const draft = drafts.get(this.key);
    if (draft) this.setText(draft.text ?? '');
    else this.refill();
    this.model.value = draft?.model ?? '';
    this.sign = JSON.stringify(this.edit());
  }

  /** Take the present text as long as nobody wrote: it may come in pieces. */
  refill() {
    if (this.touched || !this.hasText || this.kind === 'hint' || !this.present.whole) return;
    const text = this.present.get();
    if (text === this.filled) return;
    this.filled = text;
    this.setText(text);
  }

  /** @param {string} text */
  setText(text) {
    const longest = text.length > WIDE_TEXT;
    this.text.wrap = longest ? 'off' : 'soft';
    this.text.rows = Math.max(3, Math.min(ROWS_MOST, text.slice(0, 5000).split('\n').length + 1));
    this.text.value = text;
    this.text.setSelectionRange(0, 0);
    this.sign = JSON.stringify(this.edit());
  }

  /** What the form says now. @returns {Edit} */
  edit() {
    /** @type {Edit} */
    const edit = { kind: this.kind };
    if (this.hasText) edit.text = this.text.value;
    const model = this.model.value.trim();
    if (model && this.kind !== 'reply' && this.kind !== 'code') edit.model = model;
    if (this.anyway.checked) edit.anyway = true;
    return edit;
  }

  changed() {
    const edit = this.edit();
    this.sign = JSON.stringify(edit);
    drafts.delete(this.key);
    drafts.set(this.key, edit);
    if (drafts.size > DRAFTS_MOST) drafts.delete(/** @type {string} */ (drafts.keys().next().value));
    this.showProblem(null);
    if (this.quoted !== this.sign) this.answer.replaceChildren();
    this.update(this.ctx.state);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    event.stopPropagation(); // else Lab takes the keys for commands of the notebook
    if (event.key === 'Escape') {
      event.preventDefault();
      this.close();
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!this.runButton.disabled) this.run();
      else if (!this.quoteButton.disabled) this.askQuote();
    } else if (event.key === 'Enter' && event.target === this.model) {
      event.preventDefault();
      if (!this.quoteButton.disabled) this.askQuote();
    } else if (event.key === 'Tab' && this.kind === 'code' && event.target === this.text && !event.shiftKey) {
      event.preventDefault();
      this.indent();
    }
  }

  /** Tab: move the chosen lines, or write spaces. */
  indent() {
    const { selectionStart: from, selectionEnd: to, value } = this.text;
    const first = value.lastIndexOf('\n', from - 1) + 1;
    if (from === to) {
      this.text.setRangeText(STEPS.slice((from - first) % STEPS.length), from, to, 'end');
    } else {
      const moved = value.slice(first, to).replace(/^(?=.)/gm, STEPS);
      this.text.setRangeText(moved, first, to, 'select');
    }
    this.text.dispatchEvent(new Event('input'));
  }

  askQuote() {
    const edit = this.edit();
    this.asked = this.sign = JSON.stringify(edit);
    this.showProblem(null);
    put(this.answer, 'Working it out …');
    this.ctx.send({ kind: 'quote', id: this.node.id, edit });
  }

  /** @param {Quote} quote */
  takeQuote(quote) {
    if (quote.node_id !== this.node.id || this.asked === null || quote.edit.kind !== this.kind) return;
    this.quoted = this.asked;
    this.asked = null;
    this.showProblem(null);
    this.answer.replaceChildren(el('p', { class: 'rlm-quote-text' }, clean(quote.text)));
    if (!quote.cost_known) {
      this.answer.append(el('p', { class: 'rlm-help' }, 'The cost of what is asked anew is not known.'));
    }
    this.anywayLine.hidden = quote.restore !== 'replay';
    this.update(this.ctx.state);
    this.buttons.scrollIntoView({ block: 'nearest' });
  }

  /** @param {Problem} problem */
  takeProblem(problem) {
    const mine = problem.about === this.node.id || (problem.about === null && (this.asked !== null || this.sent));
    if (!mine) return;
    this.asked = null;
    if (this.sent) this.anywayLine.hidden = false; // it may be that Python's state could not be made again
    this.sent = false;
    this.showProblem(problem);
    this.update(this.ctx.state);
  }

  /** @param {Problem | null} problem */
  showProblem(problem) {
    this.problem.hidden = problem === null;
    put(this.problem, problem ? clean(`${problem.text} ${problem.remedy}`.trim()) : '');
    if (problem) this.answer.replaceChildren();
  }

  run() {
    this.sent = true;
    this.lastBefore = this.ctx.state.lastRun()?.id ?? '';
    this.showProblem(null);
    this.ctx.send({ kind: 'rerun', id: this.node.id, edit: this.edit() });
    put(this.answer, 'Starting …');
    this.update(this.ctx.state);
  }

  /** @param {StoreType} state */
  update(state) {
    const why = whyNot(state);
    if (this.sent && this.begun(state)) return;
    this.refill();
    for (const [index, name] of state.models.entries()) {
      if (this.models.children[index]?.getAttribute('value') !== name) {
        this.models.replaceChildren(...state.models.map(value => el('option', { value })));
        break;
      }
    }
    const missing = this.missing();
    const ready = !why && !missing && !this.sent;
    this.quoteButton.disabled = !ready || this.asked !== null;
    this.runButton.disabled = !ready || this.quoted !== this.sign;
    const reason = why || missing;
    this.why.hidden = !reason;
    put(this.why, reason);
    for (const each of [this.quoteButton, this.runButton]) {
      mark(each, 'aria-describedby', reason ? `${this.id}-why` : null);
      mark(
        each,
        'title',
        reason || (each === this.runButton && this.runButton.disabled ? 'First see what it will cost' : null)
      );
    }
  }

  /** Once the run that was asked for is there, leave the form and show it. @param {StoreType} state */
  begun(state) {
    const run = state.lastRun();
    const isNew = run !== null && run.id !== this.lastBefore;
    const goesOn = this.kind === 'continue' && state.control.state !== 'idle';
    if (!isNew && !goesOn) return false;
    drafts.delete(this.key);
    this.close();
    if (isNew) this.ctx.choose(run.id, { reveal: true });
    return true;
  }

  /** What the form still lacks, for people. */
  missing() {
    if (this.hasText && !this.touched && this.kind !== 'hint' && !this.present.whole) return 'The text is loading …';
    if (this.kind === 'model' && !this.model.value.trim()) return 'Name the model that is to be asked.';
    if (this.hasText && this.kind !== 'reply' && !this.text.value.trim()) return 'Write the text first.';
    return '';
  }

  destroy() {
    for (const each of this.undo) each();
    this.element.remove();
  }
}
