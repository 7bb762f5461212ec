// @ts-check
/** The document: which parts of it were read. */

import { el } from './dom.js';

/** @param {HTMLElement} host @param {import('./panel').Ctx} _ctx @returns {import('./panel').PanelView} */
export function stripView(host, _ctx) {
  const text = el('p', { class: 'rlm-empty-view' }, 'Nothing read yet.');
  host.append(text);
  return {
    update() {},
    destroy() {
      text.remove();
    }
  };
}
