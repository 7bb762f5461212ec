// @ts-check
/**
 * Where things stand: head and decisions on top, the tree, and the tabs below or beside it, with a bar between that can
 * be moved.
 *
 * @typedef {import('./panel').TabName} TabName
 * @typedef {ReturnType<typeof makeLayout>} Layout
 */

import { el, mark, put } from './dom.js';

/** @type {Array<[TabName, string]>} */
const TABS = [
  ['detail', 'Detail'],
  ['timeline', 'Timeline'],
  ['document', 'Document'],
  ['scaling', 'Scaling'],
  ['branches', 'Branches']
];
const NO_QUESTION =
  'No question yet. Write %%rlm in the first line of a cell and a question below it, then run the cell.';
const LEAST = 15; // per cent of the room that each side keeps
const MOST = 85;

/** What a person is told of where the rows come from. @type {Record<string, string>} */
const PHASES = {
  loading: '',
  live: '',
  saved:
    'Saved with the notebook: this is how it stood, to be read only. Start the kernel and run %rlm panel for the live one.',
  gone: 'The kernel is gone or was restarted: this is how it stood, to be read only. Run %rlm panel for the live one.'
};

/** @param {HTMLElement} host @param {string} id */
export function makeLayout(host, id) {
  const head = el('header', { class: 'rlm-head' });
  const phase = el('p', { class: 'rlm-phase', role: 'status', hidden: true });
  const decide = el('div', { class: 'rlm-decide', role: 'region', 'aria-label': 'Waiting for you' });
  const tree = el('div', { class: 'rlm-treebox' });
  const empty = el('p', { class: 'rlm-empty' });
  const tabs = makeTabs(id);
  const split = el('div', { class: 'rlm-split', role: 'separator', tabindex: 0, 'aria-label': 'Size of the tree' });
  const main = el('div', { class: 'rlm-main' }, tree, split, tabs.root);
  const spoken = el('div', { class: 'rlm-spoken', role: 'status', 'aria-live': 'polite' });
  const root = el(
    'section',
    { class: 'rlm-panel', id, 'aria-label': 'RLM calls' },
    el('div', { class: 'rlm-frame' }, head, phase, decide, empty, main, spoken)
  );
  host.append(root);
  const undo = makeSplit(split, main);
  let silence = 0;
  /** @type {Array<() => void>} */
  const listeners = [];
  const watch = new ResizeObserver(() => listeners.forEach(then => then()));
  watch.observe(root);
  tabs.onShow(() => listeners.forEach(then => then()));

  return {
    root,
    head,
    decide,
    tree,
    tabs: tabs.hosts,
    /** @returns {TabName} */
    tab: () => tabs.shown(),
    /** @param {TabName} name @param {boolean} focus */
    show: (name, focus) => tabs.show(name, focus),
    /** @param {() => void} then */
    onChange: then => void listeners.push(then),
    /** @param {string} text */
    say(text) {
      put(spoken, text);
      clearTimeout(silence);
      silence = setTimeout(() => put(spoken, ''), 6000);
    },
    /** @param {import('./store').Store} store */
    update(store) {
      const none = store.rows.size === 0;
      root.classList.toggle('rlm-is-empty', none);
      mark(root, 'data-phase', store.phase);
      put(empty, none ? (store.phase === 'loading' || store.expected > 0 ? 'Loading…' : NO_QUESTION) : '');
      put(phase, PHASES[store.phase]);
      phase.hidden = !PHASES[store.phase];
      const upright = getComputedStyle(main).flexDirection === 'column';
      mark(split, 'aria-orientation', upright ? 'horizontal' : 'vertical');
    },
    close() {
      undo();
      watch.disconnect();
      clearTimeout(silence);
      root.remove();
    }
  };
}

/** Tabs in the manner of ARIA: arrows choose, only the chosen one is in the tab order. @param {string} id */
function makeTabs(id) {
  /** @type {TabName} */
  let shown = 'detail';
  /** @type {Array<() => void>} */
  const listeners = [];
  const list = el('div', { class: 'rlm-tabs', role: 'tablist', 'aria-label': 'Views' });
  const root = el('div', { class: 'rlm-side' }, list);
  /** @type {Record<string, HTMLButtonElement>} */
  const buttons = {};
  /** @type {Record<string, HTMLElement>} */
  const hosts = {};
  for (const [name, title] of TABS) {
    const attrs = { type: 'button', role: 'tab', id: `${id}-tab-${name}`, 'aria-controls': `${id}-${name}` };
    buttons[name] = el('button', { class: 'rlm-tab', ...attrs, onclick: () => show(name, false) }, title);
    hosts[name] = el('div', {
      class: `rlm-view rlm-view-${name}`,
      role: 'tabpanel',
      id: `${id}-${name}`,
      'aria-labelledby': `${id}-tab-${name}`,
      tabindex: -1
    });
    list.append(buttons[name]);
    root.append(hosts[name]);
  }
  list.addEventListener('keydown', event => {
    const at = TABS.findIndex(([name]) => name === shown);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    const name = TABS[(to + TABS.length) % TABS.length][0];
    show(name, false);
    buttons[name].focus();
    event.preventDefault();
    event.stopPropagation(); // else Lab moves between cells
  });

  /** @param {TabName} name @param {boolean} focus */
  function show(name, focus) {
    shown = name;
    for (const [each] of TABS) {
      mark(buttons[each], 'aria-selected', String(each === name));
      buttons[each].tabIndex = each === name ? 0 : -1;
      hosts[each].hidden = each !== name;
    }
    if (focus) hosts[name].focus();
    listeners.forEach(then => then());
  }
  show('detail', false);
  return {
    root,
    hosts: /** @type {Record<TabName, HTMLElement>} */ (hosts),
    shown: () => shown,
    show,
    /** @param {() => void} then */
    onShow: then => void listeners.push(then)
  };
}

/** Let the bar between tree and tabs be moved, by pointer and by keys. @param {HTMLElement} split @param {HTMLElement} main */
function makeSplit(split, main) {
  let part = 50;
  /** @param {number} to */
  const move = to => {
    part = Math.round(Math.max(LEAST, Math.min(MOST, to)));
    main.style.setProperty('--rlm-split', `${part}%`);
    mark(split, 'aria-valuenow', String(part));
  };
  mark(split, 'aria-valuemin', String(LEAST));
  mark(split, 'aria-valuemax', String(MOST));
  mark(split, 'aria-valuenow', String(part));
  /** @param {PointerEvent} event */
  const onMove = event => {
    const box = main.getBoundingClientRect();
    const upright = split.getAttribute('aria-orientation') === 'horizontal';
    move(upright ? ((event.clientY - box.top) / box.height) * 100 : ((event.clientX - box.left) / box.width) * 100);
  };
  const onUp = () => {
    window.removeEventListener('pointermove', onMove);
    window.removeEventListener('pointerup', onUp);
  };
  split.addEventListener('pointerdown', event => {
    event.preventDefault();
    window.addEventListener('pointermove', onMove);
    window.addEventListener('pointerup', onUp);
  });
  split.addEventListener('keydown', event => {
    const step = { ArrowUp: -5, ArrowLeft: -5, ArrowDown: 5, ArrowRight: 5, Home: -100, End: 100 }[event.key];
    if (step === undefined) return;
    move(part + step);
    event.preventDefault();
    event.stopPropagation();
  });
  return onUp;
}
