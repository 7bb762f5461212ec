// @ts-check
/**
 * Above the tree: search, filter and order.
 *
 * @typedef {import('./panel').Ctx} Ctx
 */

import { el } from './dom.js';
import { makeMenu } from './menu.js';

const SEARCH_MS = 200;
/** @type {Array<[import('./outline').Filter, string]>} */
const FILTERS = [
  ['none', 'All'],
  ['failed', 'Failed'],
  ['cached', 'Cached'],
  ['expensive', 'Expensive']
];
/** @type {Array<[import('./outline').Sort, string]>} */
const SORTS = [
  ['order', 'In order'],
  ['cost', 'By cost'],
  ['time', 'By time'],
  ['tokens', 'By tokens']
];

/** @param {Ctx} ctx */
export function makeToolbar(ctx) {
  const { outline } = ctx.state;
  const search = makeSearch(ctx);
  const filter = choice(ctx, 'Filter', FILTERS, value => outline.look({ filter: /** @type {any} */ (value) }));
  const sort = choice(ctx, 'Order of siblings', SORTS, value => outline.look({ sort: /** @type {any} */ (value) }));
  const menu = makeMenu(ctx);
  const root = el(
    'div',
    { class: 'rlm-toolbar', role: 'toolbar', 'aria-label': 'Find and order' },
    ...search.parts,
    filter,
    sort,
    menu.root
  );
  return {
    root,
    focus: () => search.focus(),
    copy: (/** @type {import('./menu').Form} */ form) => menu.copy(form),
    update() {
      if (filter.value !== outline.filter) filter.value = outline.filter;
      search.update();
      menu.update();
    },
    destroy() {
      search.destroy();
      menu.destroy();
      root.remove();
    }
  };
}

/** Search in the labels, and in the long texts where that is wanted. @param {Ctx} ctx */
function makeSearch(ctx) {
  const store = ctx.state;
  const { outline } = store;
  let waiting = 0;
  const input = el('input', {
    type: 'search',
    class: 'rlm-input rlm-search',
    placeholder: 'Search  /',
    'aria-label': 'Search in labels'
  });
  const texts = el('input', { type: 'checkbox' });
  const title = 'Search in prompts, replies, code and output too';
  const inTexts = el('label', { class: 'rlm-check', title }, texts, 'texts');
  const look = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      waiting = 0;
      outline.look({ search: input.value.trim(), found: null });
      if (texts.checked && outline.search) ctx.send({ kind: 'find', text: outline.search });
      ctx.later();
    }, SEARCH_MS);
  };
  input.addEventListener('input', look);
  texts.addEventListener('change', look);
  input.addEventListener('keydown', event => {
    event.stopPropagation(); // letters are commands of the notebook
    if (event.key === 'Escape') {
      input.value = '';
      look();
    }
    if (event.key !== 'Escape' && event.key !== 'Enter' && event.key !== 'ArrowDown') return;
    const first = outline.lines().find(item => item.match);
    ctx.choose(event.key === 'Escape' ? store.chosen : (first?.key ?? store.chosen), { focus: true });
    event.preventDefault();
  });
  const off = ctx.on('found', message => {
    if (message.text === outline.search && texts.checked) outline.look({ found: new Set(message.ids) });
  });
  return {
    parts: [input, inTexts],
    focus: () => input.select(),
    update() {
      if (!outline.search && document.activeElement !== input && !waiting) input.value = '';
      inTexts.hidden = !store.live;
    },
    destroy() {
      clearTimeout(waiting);
      off();
    }
  };
}

/**
 * @param {Ctx} ctx
 * @param {string} label
 * @param {Array<[string, string]>} values
 * @param {(value: string) => void} then
 */
function choice(ctx, label, values, then) {
  const select = el('select', { class: 'rlm-input rlm-select', 'aria-label': label });
  for (const [value, text] of values) select.append(el('option', { value }, text));
  select.addEventListener('change', () => {
    then(select.value);
    ctx.later();
  });
  select.addEventListener('keydown', event => event.stopPropagation());
  return select;
}
