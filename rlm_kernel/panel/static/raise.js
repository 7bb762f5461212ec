// @ts-check
/**
 * After a limit: raise it, and go on in place.
 *
 * @typedef {import('./panel').Ctx} Ctx
 */

import { button, el, put } from './dom.js';

/** Limits that may be raised: kind, name, and the step of the field. @type {Array<[string, string, string]>} */
const KINDS = [
  ['cost_usd', 'Cost, $', 'any'],
  ['calls', 'Model calls', '1'],
  ['tokens', 'Tokens', '1'],
  ['turns', 'Turns', '1'],
  ['seconds', 'Seconds', '1']
];

/** @param {Ctx} ctx */
export function makeRaise(ctx) {
  const store = ctx.state;
  /** @type {string} */
  let run = '';
  const why = el('p', { class: 'rlm-raise-why' });
  const fields = el('div', { class: 'rlm-raise-fields' });
  const go = button('Raise and continue', () => undefined);
  go.type = 'submit';
  const root = el('form', { class: 'rlm-raise', hidden: true, 'aria-label': 'Raise the limit' }, why, fields, go);
  root.addEventListener('keydown', event => event.stopPropagation()); // figures are commands of the notebook
  root.addEventListener('submit', event => {
    event.preventDefault();
    /** @type {Record<string, number>} */
    const limits = {};
    for (const input of fields.querySelectorAll('input')) {
      if (input.value && input.value !== input.defaultValue) limits[input.name] = Number(input.value);
    }
    for (const input of fields.querySelectorAll('input[data-reached]')) {
      const { name, value } = /** @type {HTMLInputElement} */ (input);
      if (value) limits[name] = Number(value);
    }
    ctx.send({ kind: 'raise', run_id: run, limits });
  });

  const fill = () => {
    fields.replaceChildren();
    for (const [kind, name, step] of KINDS) {
      const meter = store.control.limits.find(each => each.kind === kind);
      if (!meter) continue;
      const reached = meter.used >= meter.limit;
      const value = reached ? meter.limit * 2 : meter.limit;
      const input = el('input', { class: 'rlm-input', type: 'number', name: kind, step, min: 0, value: String(value) });
      if (reached) input.dataset.reached = '';
      fields.append(el('label', {}, name, input));
    }
  };

  return {
    root,
    /** @param {import('./facts').Row | null} shown @param {boolean} busy */
    update(shown, busy) {
      const wanted = store.live && !busy && shown?.outcome === 'limit' && shown.id === store.lastRun()?.id;
      root.hidden = !wanted;
      if (!wanted || !shown) {
        run = '';
        return;
      }
      put(why, shown.error ?? 'A limit was reached.');
      if (run === shown.id) return;
      run = shown.id;
      fill();
    }
  };
}
