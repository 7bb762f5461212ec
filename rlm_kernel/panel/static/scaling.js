// @ts-check
/**
 * How a question scales: cost and tokens by turn and by depth, as bars and as figures.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./store').Store} Store
 * @typedef {import('./facts').Row} Row
 * @typedef {import('./facts').Usage} Usage
 * @typedef {{name: string, title: string, key: string | null, own: Usage, below: Usage, nodes: number}} Step
 * @typedef {"cost" | "in" | "out" | "calls"} Measure
 */

import { el, put, svg } from './dom.js';
import { addUsage, count, line, money, noUsage } from './format.js';

const REDRAW_MS = 500;
const HEIGHT = 90;
/** @type {Array<[Measure, string]>} */
const MEASURES = [
  ['cost', 'Cost'],
  ['in', 'Tokens in'],
  ['out', 'Tokens out'],
  ['calls', 'Calls']
];

/** What each turn of a question took: itself, and what its cell asked. @param {Store} store @param {Row} root */
export function byTurn(store, root) {
  /** @type {Step[]} */
  const steps = [];
  for (const id of store.children(root.id)) {
    const row = store.rows.get(id);
    if (!row) continue;
    const below = noUsage();
    for (const child of store.children(id)) addUsage(below, store.rows.get(child)?.total ?? noUsage());
    const number = row.kind === 'turn' ? String(steps.length + 1) : 'call';
    const nodes = store.children(id).length;
    steps.push({ name: number, title: line(row.label, 80), key: id, own: row.usage, below, nodes });
  }
  return steps;
}

/** What the models took at each depth: 0 is the question's own model. @param {Store} store @param {Row} root */
export function byDepth(store, root) {
  /** @type {Step[]} */
  const steps = [];
  /** @param {string} id @param {number} depth */
  const walk = (id, depth) => {
    const row = store.rows.get(id);
    if (!row) return;
    if (row.kind !== 'run') {
      const at = row.kind === 'turn' ? depth : depth + 1;
      while (steps.length <= at) steps.push(emptyStep(steps.length));
      addUsage(row.kind === 'turn' ? steps[at].own : steps[at].below, row.usage);
      steps[at].nodes++;
    }
    const under = row.kind === 'run' && id !== root.id ? depth + 1 : depth;
    for (const child of store.children(id)) walk(child, under);
  };
  walk(root.id, 0);
  return steps;
}

/** @param {number} depth @returns {Step} */
function emptyStep(depth) {
  const title = depth === 0 ? 'the question’s own turns' : `depth ${depth}`;
  return { name: String(depth), title, key: null, own: noUsage(), below: noUsage(), nodes: 0 };
}

/** @param {Usage} usage @param {Measure} measure */
function amount(usage, measure) {
  if (measure === 'cost') return usage.cost_usd;
  if (measure === 'in') return usage.input_tokens;
  return measure === 'out' ? usage.output_tokens : usage.calls;
}

/** @param {number | null} value @param {Measure} measure */
function written(value, measure) {
  return measure === 'cost' ? money(value) : (value ?? 0).toLocaleString('en');
}

/** @param {HTMLElement} host @param {Ctx} ctx @returns {import('./panel').PanelView} */
export function scalingView(host, ctx) {
  const store = ctx.state;
  /** @type {Measure | null} */
  let chosen = null;
  let drawn = '';
  let drawnAt = 0;
  let waiting = 0;
  const select = el('select', { class: 'rlm-input rlm-select', 'aria-label': 'Measure' });
  for (const [value, text] of MEASURES) select.append(el('option', { value }, text));
  const note = el('span', { class: 'rlm-caption' });
  const body = el('div', { class: 'rlm-charts' });
  host.append(el('div', { class: 'rlm-toolbar' }, select, note), body);
  select.addEventListener('keydown', event => event.stopPropagation());
  select.addEventListener('change', () => {
    chosen = /** @type {Measure} */ (select.value);
    drawn = '';
    ctx.later();
  });

  return {
    update() {
      const root = store.shownRun();
      const state = `${root?.id}|${store.version}`;
      if (state === drawn) return;
      if (Date.now() - drawnAt < REDRAW_MS) {
        waiting ||= setTimeout(() => {
          waiting = 0;
          ctx.later();
        }, REDRAW_MS);
        return;
      }
      drawn = state;
      drawnAt = Date.now();
      if (!root) {
        put(note, 'Nothing has run yet.');
        body.replaceChildren();
        return;
      }
      const measure = chosen ?? (root.total.cost_usd ? 'cost' : 'in');
      select.value = measure;
      put(note, line(root.label, 60));
      const turns = byTurn(store, root);
      const depths = byDepth(store, root);
      body.replaceChildren(
        chart(ctx, 'By turn', 'Turn', turns, measure, ['its model', 'its calls']),
        chart(ctx, 'By depth', 'Depth', depths, measure, ['turns', 'calls'])
      );
    },
    destroy() {
      clearTimeout(waiting);
      host.replaceChildren();
    }
  };
}

/**
 * Bars, and the same as a table.
 *
 * @param {Ctx} ctx
 * @param {string} title
 * @param {string} what
 * @param {Step[]} steps
 * @param {Measure} measure
 * @param {[string, string]} parts
 */
function chart(ctx, title, what, steps, measure, parts) {
  /** @param {Step} step */
  const values = step => [amount(step.own, measure) ?? 0, amount(step.below, measure) ?? 0];
  const most = Math.max(...steps.map(step => values(step)[0] + values(step)[1]), 0) || 1;
  const width = 100 / Math.max(steps.length, 6);
  const picture = svg('svg', {
    class: 'rlm-bars',
    viewBox: `0 0 100 ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img'
  });
  const words = `${title}: ${count(steps.length, what.toLowerCase())}, at most ${written(most, measure)}`;
  picture.setAttribute('aria-label', words);
  steps.forEach((step, at) => {
    const [own, below] = values(step);
    const high = ((own + below) / most) * (HEIGHT - 2);
    const ownHigh = (own / most) * (HEIGHT - 2);
    const place = { x: at * width + width * 0.1, width: width * 0.8 };
    const group = svg(
      'g',
      {},
      svg('title', {}, `${what} ${step.name}: ${written(own + below, measure)}\n${step.title}`)
    );
    group.append(svg('rect', { ...place, y: HEIGHT - ownHigh, height: ownHigh, class: 'rlm-bar-own' }));
    group.append(svg('rect', { ...place, y: HEIGHT - high, height: high - ownHigh, class: 'rlm-bar-below' }));
    if (step.key !== null) group.addEventListener('click', () => ctx.choose(step.key, { reveal: true }));
    picture.append(group);
  });
  const legend = el(
    'p',
    { class: 'rlm-legend' },
    el('span', { class: 'rlm-key rlm-bar-own' }),
    parts[0],
    el('span', { class: 'rlm-key rlm-bar-below' }),
    parts[1]
  );
  return el('section', { class: 'rlm-chart' }, el('h4', {}, title), picture, legend, table(what, steps, parts));
}

/** @param {string} what @param {Step[]} steps @param {[string, string]} parts */
function table(what, steps, parts) {
  const heads = [what, `Cost: ${parts[0]}`, parts[1], 'In', 'Cached', 'Out', 'Calls'];
  const head = el('tr', {}, ...heads.map(text => el('th', { scope: 'col' }, text)));
  const rows = steps.map(step => {
    const all = noUsage();
    addUsage(all, step.own);
    addUsage(all, step.below);
    const figures = [
      money(step.own.cost_usd),
      money(step.below.cost_usd),
      ...[all.input_tokens, all.cached_tokens, all.output_tokens, all.calls].map(value => value.toLocaleString('en'))
    ];
    const name = el('th', { scope: 'row', title: step.title }, step.name);
    return el('tr', {}, name, ...figures.map(text => el('td', {}, text)));
  });
  return el(
    'div',
    { class: 'rlm-tablebox' },
    el('table', { class: 'rlm-table' }, el('thead', {}, head), el('tbody', {}, ...rows))
  );
}
