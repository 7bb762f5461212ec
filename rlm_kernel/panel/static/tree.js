// @ts-check
/**
 * The tree of calls. Only the rows in sight are in the page, so ten thousand nodes scroll as ten do.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./outline').Item} Item
 * @typedef {{item: Item, twisty: boolean, x: number, y: number}} Press
 */

import { el, isStill, mark } from './dom.js';
import { line } from './format.js';
import { keyAction, TypeAhead } from './keys.js';
import { COLUMNS, factOf, fillRow, makeRow } from './rows.js';
import { makeToolbar } from './toolbar.js';
import { nextFailure } from './failures.js';

const ROW_PX = 24;
const TALL_ROW_PX = 40; // in a narrow sidebar the figures stand in a second line
const NARROW_PX = 360; // as in panel.css
const SPARE_ROWS = 8;
const RESORT_MS = 1000;

/** @param {HTMLElement} host @param {Ctx} ctx */
export function treeView(host, ctx) {
  const view = new TreeView(host, ctx);
  return {
    update: () => view.update(),
    destroy: () => view.destroy(),
    /** Bring the chosen line into sight. @param {boolean} focus */
    bring: focus => view.bring(focus)
  };
}

/** The tree, its toolbar and its keys. */
class TreeView {
  /** @param {HTMLElement} host @param {Ctx} ctx */
  constructor(host, ctx) {
    this.ctx = ctx;
    this.store = ctx.state;
    this.outline = ctx.state.outline;
    this.toolbar = makeToolbar(ctx);
    this.columns = el('div', { class: 'rlm-row rlm-columns', 'aria-hidden': 'true' });
    for (const name of COLUMNS) this.columns.append(el('span', { class: `rlm-${name}` }, name === 'name' ? '' : name));
    this.sizer = el('div', { class: 'rlm-sizer', role: 'presentation' });
    this.nothing = el('p', { class: 'rlm-nothing', hidden: true }, 'Nothing fits.');
    this.tree = el(
      'div',
      { class: 'rlm-tree', role: 'tree', tabindex: 0, 'aria-label': 'Runs, turns and calls' },
      this.sizer
    );
    this.ahead = new TypeAhead();
    this.count = 0;
    this.nodes = 0;
    this.rowPx = ROW_PX;
    this.settling = 0;
    this.bringing = false;
    /** The lines as they were drawn. @type {Item[]} */
    this.drawn = [];
    /** Where a press began: until it ends another line may stand there. @type {Press | null} */
    this.pressed = null;
    this.tree.addEventListener('pointerdown', event => {
      this.pressed = this.pressAt(event);
    });
    this.tree.addEventListener('scroll', () => ctx.later(), { passive: true });
    this.tree.addEventListener('keydown', event => this.key(event));
    this.tree.addEventListener('click', event => this.click(event));
    this.tree.addEventListener('dblclick', event => this.click(event));
    host.append(this.toolbar.root, this.columns, this.tree, this.nothing);
  }

  destroy() {
    clearTimeout(this.settling);
    this.toolbar.destroy();
    for (const each of [this.toolbar.root, this.columns, this.tree, this.nothing]) each.remove();
  }

  update() {
    this.toolbar.update();
    this.resort();
    const items = this.outline.lines();
    const { scrollTop, clientHeight, clientWidth } = this.tree;
    this.rowPx = clientWidth <= NARROW_PX ? TALL_ROW_PX : ROW_PX;
    const atEnd = scrollTop + clientHeight >= (this.count - 1) * this.rowPx;
    const follow = this.nodes > 0 && this.store.rows.size > this.nodes && atEnd && this.store.chosen === null;
    this.nodes = this.store.rows.size;
    if (items.length !== this.count || this.sizer.style.height !== `${items.length * this.rowPx}px`) {
      this.count = items.length;
      this.sizer.style.height = `${items.length * this.rowPx}px`;
    }
    if (follow && !this.outline.looking) this.tree.scrollTop = items.length * this.rowPx;
    if (this.bringing) this.scrollToChosen();
    this.nothing.hidden = items.length > 0 || !this.outline.looking;
    this.draw(items, clientHeight);
  }

  /** Sorted and filtered lines find their new places once a second: faster cannot be read. */
  resort() {
    if (!this.outline.stirred || this.settling) return;
    this.settling = setTimeout(() => {
      this.settling = 0;
      this.outline.settle();
      this.ctx.later();
    }, RESORT_MS);
  }

  /** @param {Item[]} items @param {number} height */
  draw(items, height) {
    this.drawn = items;
    const top = this.tree.scrollTop;
    const first = Math.max(0, Math.min(items.length, Math.floor(top / this.rowPx)) - SPARE_ROWS);
    const last = Math.min(items.length, Math.ceil((top + height) / this.rowPx) + SPARE_ROWS);
    while (this.sizer.children.length > Math.max(0, last - first)) this.sizer.lastElementChild?.remove();
    while (this.sizer.children.length < last - first) this.sizer.append(makeRow());
    let active = null;
    for (let index = first; index < last; index++) {
      const element = /** @type {HTMLElement} */ (this.sizer.children[index - first]);
      const item = items[index];
      const chosen = item.key === this.store.chosen;
      mark(element, 'id', `${this.ctx.view}-${index}`);
      mark(element, 'data-index', String(index));
      const place = `translateY(${index * this.rowPx}px)`;
      if (element.style.transform !== place) element.style.transform = place;
      const fact = factOf(this.store, item);
      if (fact) fillRow(element, item, fact, chosen);
      if (chosen) active = element.id;
    }
    mark(this.tree, 'aria-activedescendant', active);
  }

  // ---- choosing ----------------------------------------------------------------------------------------------

  /** @param {boolean} focus */
  bring(focus) {
    this.bringing = true;
    if (focus) this.tree.focus({ preventScroll: true });
  }

  scrollToChosen() {
    this.bringing = false;
    const index = this.outline.lineOf(this.store.chosen);
    if (index < 0) return;
    const top = index * this.rowPx;
    if (top < this.tree.scrollTop) this.tree.scrollTop = top;
    const bottom = top + this.rowPx - this.tree.clientHeight;
    if (bottom > this.tree.scrollTop) this.tree.scrollTop = bottom;
  }

  /** @param {MouseEvent} event @returns {Press | null} */
  pressAt(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const element = /** @type {HTMLElement | null} */ (target.closest('[data-index]'));
    const item = element && this.drawn[Number(element.dataset.index)];
    if (!item) return null;
    return { item, twisty: target.classList.contains('rlm-twisty'), x: event.clientX, y: event.clientY };
  }

  /** @param {MouseEvent} event */
  click(event) {
    // Without a count it was no pointer that pressed, but a screen reader.
    const press = event.detail ? this.pressed : this.pressAt(event);
    if (!press || !isStill(press, event)) return;
    const { item, twisty } = press;
    if (event.type === 'dblclick' ? !twisty : twisty) this.toggle(item);
    if (event.type === 'click') this.ctx.choose(item.key);
  }

  /** @param {Item} item */
  toggle(item) {
    if (item.open !== null) this.outline.toggle(item.key, !item.open);
    this.ctx.later();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const items = this.outline.lines();
    const at = this.outline.lineOf(this.store.chosen);
    const page = Math.max(1, Math.floor(this.tree.clientHeight / this.rowPx) - 1);
    const press = {
      key: event.key,
      alt: event.altKey,
      command: event.ctrlKey || event.metaKey,
      shift: event.shiftKey
    };
    const action = keyAction(press, items, at, page);
    if (action) this.act(action, items[action.at]);
    else if (!this.typeAhead(press, items, at)) return;
    event.preventDefault();
    event.stopPropagation(); // else Lab moves between cells
  }

  /** @param {import('./keys').Action} action @param {Item | undefined} item */
  act(action, item) {
    if (action.do === 'search') this.toolbar.focus();
    else if (action.do === 'failure') nextFailure(this.ctx);
    else if (action.do === 'copy') this.toolbar.copy('markdown');
    else if (!item) return;
    else if (action.do === 'choose') this.ctx.choose(item.key);
    else if (action.do === 'openAll') this.openAll(item);
    else if (action.do === 'enter' && !item.group) this.ctx.show('detail', true);
    else this.toggle(item);
  }

  /** Open a line and all its siblings. @param {Item} item */
  openAll(item) {
    for (const each of this.outline.lines()) {
      if (each.parent === item.parent && each.open === false) this.outline.toggle(each.key, true);
    }
    this.bring(false);
    this.ctx.later();
  }

  /** @param {import('./keys').Press} press @param {Item[]} items @param {number} at */
  typeAhead(press, items, at) {
    if (press.alt || press.command || press.key.length !== 1 || !items.length) return false;
    const labels = items.map(item => line(this.labelOf(item), 80));
    const place = this.ahead.find(press.key, labels, at, Date.now());
    if (place >= 0) this.ctx.choose(items[place].key);
    return true;
  }

  /** @param {Item} item */
  labelOf(item) {
    if (item.group) return this.store.batchFacts(item.group).label;
    return this.store.rows.get(item.key)?.label ?? '';
  }
}
