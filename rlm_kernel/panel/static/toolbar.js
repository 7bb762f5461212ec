// @ts-check
/**
 * Above the tree: search, filter, order, copy and export.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {"markdown" | "json"} Form
 */

import { saveText } from './copying.js';
import { button, el, mark, put } from './dom.js';

const SEARCH_MS = 200;
/** @type {Array<[import('./store').Filter, string]>} */
const FILTERS = [
  ['none', 'All'],
  ['failed', 'Failed'],
  ['cached', 'Cached'],
  ['expensive', 'Expensive']
];
/** @type {Array<[import('./store').Sort, string]>} */
const SORTS = [
  ['order', 'In order'],
  ['cost', 'By cost'],
  ['time', 'By time'],
  ['tokens', 'By tokens']
];

/** @param {Ctx} ctx @param {() => void} failure goes to the next failure */
export function makeToolbar(ctx, failure) {
  const store = ctx.state;
  let waiting = 0;
  const search = el('input', {
    type: 'search',
    class: 'rlm-input rlm-search',
    placeholder: 'Search  /',
    'aria-label': 'Search in labels'
  });
  const texts = el('input', { type: 'checkbox' });
  const inTexts = el('label', { class: 'rlm-check', title: 'Search in prompts, replies, code and output too' }, texts, 'texts');
  const filter = choice('Filter', FILTERS, value => store.look({ filter: /** @type {any} */ (value) }));
  const sort = choice('Order of siblings', SORTS, value => store.look({ sort: /** @type {any} */ (value) }));
  const menu = makeMenu(ctx);
  const root = el(
    'div',
    { class: 'rlm-toolbar', role: 'toolbar', 'aria-label': 'Find and order' },
    search,
    inTexts,
    filter,
    sort,
    menu.root
  );

  const look = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      store.look({ search: search.value.trim(), found: null });
      if (texts.checked && store.search) ctx.send({ kind: 'find', text: store.search });
      ctx.later();
    }, SEARCH_MS);
  };
  search.addEventListener('input', look);
  texts.addEventListener('change', look);
  search.addEventListener('keydown', event => {
    event.stopPropagation(); // letters are commands of the notebook
    if (event.key === 'Escape') {
      search.value = '';
      look();
    }
    if (event.key === 'Escape' || event.key === 'Enter' || event.key === 'ArrowDown') {
      const first = store.lines().find(item => item.match);
      ctx.choose(event.key === 'Escape' ? store.chosen : (first?.key ?? store.chosen), { focus: true });
      event.preventDefault();
    }
  });
  const off = ctx.on('found', message => {
    if (message.text === store.search && texts.checked) store.look({ found: new Set(message.ids) });
  });

  return {
    root,
    focus: () => search.select(),
    copy: (/** @type {Form} */ form) => menu.copy(form),
    failure,
    update() {
      if (store.filter !== filterOf(filter)) filterOf(filter, store.filter);
      if (!store.search && document.activeElement !== search && !waiting) search.value = '';
      inTexts.hidden = !store.live;
      menu.update();
    },
    destroy() {
      clearTimeout(waiting);
      off();
      root.remove();
    }
  };

  /** @param {string} label @param {Array<[string, string]>} values @param {(value: string) => void} then */
  function choice(label, values, then) {
    const select = el('select', { class: 'rlm-input rlm-select', 'aria-label': label });
    for (const [value, text] of values) select.append(el('option', { value }, text));
    select.addEventListener('change', () => {
      then(select.value);
      ctx.later();
    });
    select.addEventListener('keydown', event => event.stopPropagation());
    return select;
  }
}

/** @param {HTMLSelectElement} select @param {string} [value] */
function filterOf(select, value) {
  if (value !== undefined) select.value = value;
  return select.value;
}

/** Copy and export: the kernel has the texts, so it writes the document. @param {Ctx} ctx */
function makeMenu(ctx) {
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
  ctx.on('exported', message => {
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
      put(opener, 'Copy ▾');
    }
  };
}
