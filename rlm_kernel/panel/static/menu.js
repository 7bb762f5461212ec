// @ts-check
/**
 * Copy and export: the kernel has the texts, so it writes the document.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {"markdown" | "json"} Form
 */

import { saveText } from './copying.js';
import { button, el, mark } from './dom.js';

/** @param {Ctx} ctx */
export function makeMenu(ctx) {
  const store = ctx.state;
  /** What is done with the document when it is there. @type {{then: (text: string) => void, parts: string[]} | null} */
  let wanted = null;
  const items = [
    button('Copy as Markdown', () => copy('markdown')),
    button('Copy as JSON', () => copy('json')),
    button('Save the question as Markdown', () => save('markdown')),
    button('Save the question as JSON', () => save('json'))
  ];
  const list = el('div', { class: 'rlm-menu', role: 'menu', hidden: true }, ...items);
  for (const item of items) mark(item, 'role', 'menuitem');
  const opener = button('Copy ▾', () => open(list.hidden), { 'aria-haspopup': 'menu', 'aria-expanded': 'false' });
  const root = el('div', { class: 'rlm-menubox' }, opener, list);
  root.addEventListener('keydown', event => {
    if (list.hidden) return;
    const at = items.indexOf(/** @type {any} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) items[(to + items.length) % items.length].focus();
    else if (event.key === 'Escape') open(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  root.addEventListener('focusout', event => {
    if (!root.contains(/** @type {Node | null} */ (event.relatedTarget))) open(false, false);
  });
  const off = ctx.on('exported', message => {
    if (!wanted) return;
    if (message.part === 0) wanted.parts = [];
    wanted.parts.push(message.text);
    if (message.part + 1 < message.parts) return;
    const { then, parts } = wanted;
    wanted = null;
    then(parts.join(''));
  });

  /** @param {boolean} to @param {boolean} [focus] */
  function open(to, focus = true) {
    list.hidden = !to;
    mark(opener, 'aria-expanded', String(to));
    if (focus) (to ? items[0] : opener).focus();
  }

  /** @param {Form} form */
  function copy(form) {
    list.hidden = true;
    const group = store.batches.get(store.chosen ?? '');
    const id = group ? group.parent : store.chosen;
    if (!id) return ctx.say('Choose a node first.');
    wanted = { then: text => void ctx.copy(text, `Copied as ${form === 'json' ? 'JSON' : 'Markdown'}.`), parts: [] };
    ctx.send({ kind: 'export', view: ctx.view, id, form, below: false });
  }

  /** @param {Form} form */
  function save(form) {
    list.hidden = true;
    const id = store.shownRun()?.id;
    if (!id) return ctx.say('There is no question yet.');
    const [name, type] = form === 'json' ? [`${id}.json`, 'application/json'] : [`${id}.md`, 'text/markdown'];
    wanted = { then: text => saveText(name, text, type), parts: [] };
    ctx.send({ kind: 'export', view: ctx.view, id, form, below: true });
  }

  return {
    root,
    copy,
    update() {
      opener.disabled = !store.live || store.rows.size === 0;
    },
    destroy: off
  };
}
