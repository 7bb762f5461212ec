// @ts-check
/** Getting texts out of the panel: into the clipboard, or into a file. */

import { el } from './dom.js';

/**
 * Put a text into the clipboard. Where the page may not (no secure context), the text is shown to be copied by hand.
 *
 * @param {string} text
 * @param {string} done what to say afterwards
 * @param {{root: HTMLElement, say(text: string): void}} layout
 * @returns {Promise<boolean>}
 */
export async function copyText(text, done, layout) {
  if ((await viaClipboard(text)) || viaSelection(text, layout.root)) {
    layout.say(done);
    return true;
  }
  byHand(text, layout.root);
  return false;
}

/** @param {string} text */
async function viaClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no secure context, or not allowed: there are two other ways
  }
}

/** @param {string} text @param {HTMLElement} root */
function viaSelection(text, root) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const area = el('textarea', { class: 'rlm-copy-source', 'aria-hidden': 'true', tabindex: -1 });
  area.value = text;
  root.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus();
  return done;
}

/** @param {string} text @param {HTMLElement} root */
function byHand(text, root) {
  const area = el('textarea', { class: 'rlm-copy-text', readonly: true, rows: 8, 'aria-label': 'Text to copy' });
  area.value = text;
  const close = el('button', { type: 'button', class: 'rlm-button', onclick: () => box.remove() }, 'Close');
  const box = el(
    'div',
    { class: 'rlm-copy', role: 'dialog', 'aria-label': 'Copy by hand' },
    el('p', {}, 'This page may not use the clipboard. Copy from here:'),
    area,
    close
  );
  root.append(box);
  area.select();
}

/** Give a text to the browser as a file. @param {string} name @param {string} text @param {string} type */
export function saveText(name, text, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el('a', { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
