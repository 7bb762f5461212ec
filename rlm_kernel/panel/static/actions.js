// @ts-check
/**
 * What a person can change in a node: a row of buttons, and the form that one of them opens.
 *
 * @typedef {import('./store').Store} StoreType
 * @typedef {import('./store').Row} Row
 * @typedef {import('./store').Texts} Texts
 * @typedef {import('./generated').TextPart} TextPart
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./panel').PanelView} PanelView
 * @typedef {import('./edit').EditKind} EditKind
 * @typedef {{ctx: Ctx, row: Row, texts: Texts | null, want(part: TextPart): void, missing(part: TextPart): boolean}} Changed
 *   The detail of the node that is changed.
 */

import { button, el, mark, put } from './dom.js';
import { editForm, editLabel, fittingEdits, whyNot } from './edit.js';

/** @type {Record<string, TextPart>} */
const PART_OF_EDIT = { prompt: 'prompt', reply: 'reply', code: 'code' };

/** The buttons of a node, and the form that one of them opened. */
export class Actions {
  /** @param {Changed} detail */
  constructor(detail) {
    this.detail = detail;
    this.ctx = detail.ctx;
    this.bar = el('div', { class: 'rlm-buttons', role: 'group', 'aria-label': 'Change and run again' });
    this.why = el('p', { class: 'rlm-why', hidden: true });
    this.place = el('div', { class: 'rlm-form-place' });
    this.element = el('div', { class: 'rlm-actions' }, this.bar, this.why, this.place);
    /** @type {PanelView | null} */
    this.form = null;
    this.opened = '';
    this.drawn = '';
  }

  /** @param {StoreType} state */
  update(state) {
    const row = this.detail.row;
    const kinds = fittingEdits(state, row);
    const drawn = kinds.join();
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.bar.replaceChildren(...kinds.map(kind => this.makeButton(row, kind)));
    }
    const why =
      row.status === 'pending' || row.status === 'running' ? whyNot(state) || 'It has not ended yet.' : whyNot(state);
    this.why.hidden = !why || this.form !== null;
    put(this.why, why);
    for (const each of this.bar.querySelectorAll('button')) {
      each.disabled = why !== '';
      mark(each, 'title', why || null);
      mark(each, 'aria-expanded', String(each.dataset.edit === this.opened));
    }
    this.form?.update(state);
  }

  /** @param {Row} row @param {EditKind} kind */
  makeButton(row, kind) {
    const made = button(editLabel(row, kind), () => (this.opened === kind ? this.close() : this.open(kind)));
    made.dataset.edit = kind;
    if (kind === 'continue') made.classList.add('rlm-primary');
    return made;
  }

  /** @param {EditKind} kind */
  open(kind) {
    this.close();
    this.opened = kind;
    const close = () => {
      this.close();
      /** @type {HTMLElement | null} */ (this.bar.querySelector(`[data-edit="${kind}"]`))?.focus();
    };
    this.form = editForm(this.place, this.ctx, this.detail.row, kind, { present: this.present(kind), close });
    this.ctx.later();
  }

  /** The text that a form begins with; it may still be coming. @param {EditKind} kind */
  present(kind) {
    const detail = this.detail;
    const part = PART_OF_EDIT[kind];
    if (part) detail.want(part);
    return {
      get: () => (part ? (detail.texts?.[part] ?? '') : ''),
      get whole() {
        return !part || !detail.missing(part);
      }
    };
  }

  close() {
    this.form?.destroy();
    this.form = null;
    this.opened = '';
    this.ctx.later();
  }
}
