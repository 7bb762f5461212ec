// @ts-check
/**
 * The document as one bar: the darker, the more of it was read. Pointer and arrow keys choose a part of it.
 *
 * @typedef {import('./generated').CoverageShown} Coverage
 * @typedef {{from: number, to: number}} Part Cells from the first up to the one behind the last.
 */

import { el, mark, put, svg } from './dom.js';
import { line } from './format.js';
import { cellOf, charsOf, partsAt, percent, roomyKinds, stripBands, stripLabels } from './picture.js';

const HIGH = 26; // units of the picture; the lower OWN of them are for the chosen line of the tree
const OWN = 7;
const LABEL_PX = 84;
const TICKS = { file: 19, section: 9, page: 4 };
const STRIP_HELP = 'Arrow keys move, page keys go to the next part, Enter shows who read it.';

/** The bar with its labels and its tip. */
export class StripBar {
  /** @param {(part: Part) => void} choose called when a person chooses a part */
  constructor(choose) {
    this.choose = choose;
    /** @type {Coverage | null} */
    this.coverage = null;
    /** @type {number[]} */
    this.own = [];
    this.cursor = 0;
    /** @type {Part | null} */
    this.part = null;
    /** A passage that is shown, in characters. @type {{start: number, end: number} | null} */
    this.place = null;
    /** Where a pointer went down. @type {number | null} */
    this.down = null;
    this.drawn = '';
    this.picture = svg('svg', { class: 'rlm-strip-picture', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    this.labels = el('div', { class: 'rlm-strip-labels', 'aria-hidden': 'true' });
    this.tip = el('div', { class: 'rlm-tip', hidden: true, 'aria-hidden': 'true' });
    this.bar = el(
      'div',
      { class: 'rlm-strip-bar', role: 'slider', tabindex: 0, 'aria-label': 'Document' },
      this.picture
    );
    this.element = el('div', { class: 'rlm-strip' }, this.bar, this.labels, this.tip);
    this.listen();
  }

  listen() {
    this.bar.addEventListener('pointermove', event => this.hover(event));
    this.bar.addEventListener('pointerleave', () => (this.tip.hidden = true));
    this.bar.addEventListener('pointerdown', event => {
      this.down = this.cellAt(event);
      this.bar.setPointerCapture(event.pointerId);
    });
    this.bar.addEventListener('pointerup', event => {
      if (this.down === null || !this.coverage) return;
      const [from, to] = [this.down, this.cellAt(event)].sort((a, b) => a - b);
      this.down = null;
      this.cursor = from;
      this.take({ from, to: to + 1 });
    });
    this.bar.addEventListener('keydown', event => this.key(event));
  }

  get cells() {
    return this.coverage?.strip.length || 1;
  }

  /** @param {Part | null} part */
  take(part) {
    this.part = part;
    this.draw();
    if (part) this.choose(part);
  }

  /** @param {Coverage} coverage @param {number[]} own @param {{start: number, end: number} | null} place */
  set(coverage, own, place) {
    this.coverage = coverage;
    this.own = own;
    this.place = place;
    this.cursor = Math.min(this.cursor, this.cells - 1);
    this.draw();
  }

  // ---- drawing -----------------------------------------------------------------------------------------------

  draw() {
    const { coverage } = this;
    if (!coverage) return;
    const width = Math.max(50, this.bar.clientWidth);
    this.say();
    const drawn = JSON.stringify([
      coverage.strip,
      this.own,
      this.part,
      this.place,
      this.cursor,
      width,
      coverage.length
    ]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.picture.setAttribute('viewBox', `0 0 ${this.cells} ${HIGH}`);
    const read = HIGH - OWN;
    this.picture.replaceChildren(
      ...this.bands(coverage.strip, 'rlm-strip-read', 0, read),
      ...this.bands(this.own, 'rlm-strip-own', read + 1, OWN - 1),
      ...this.ticks(coverage, width),
      ...this.frames(coverage)
    );
    this.labels.replaceChildren(
      ...stripLabels(coverage.landmarks, coverage.length, width, LABEL_PX).map(({ left, label }) => {
        const shown = el('span', { class: 'rlm-strip-label' }, line(label, 40));
        shown.style.left = `${left}px`;
        return shown;
      })
    );
  }

  /** @param {number[]} strip @param {string} name @param {number} y @param {number} height */
  bands(strip, name, y, height) {
    return stripBands(strip).map(({ from, to, level }) =>
      svg('rect', { class: name, x: from, y, width: to - from, height, 'fill-opacity': 0.15 + 0.085 * level })
    );
  }

  /** @param {Coverage} coverage @param {number} width */
  ticks(coverage, width) {
    const kinds = roomyKinds(coverage.landmarks, width);
    return coverage.landmarks
      .filter(each => kinds.includes(each.kind) && each.start > 0)
      .map(each => {
        const x = (each.start / coverage.length) * this.cells;
        return svg('path', { class: 'rlm-strip-tick', 'data-kind': each.kind, d: `M${x} 0V${TICKS[each.kind]}` });
      });
  }

  /** @param {Coverage} coverage */
  frames(coverage) {
    /** @type {Element[]} */
    const frames = [];
    /** @param {string} name @param {number} from @param {number} to */
    const add = (name, from, to) =>
      frames.push(svg('rect', { class: name, x: from, y: 0, width: Math.max(0.6, to - from), height: HIGH }));
    if (this.place) {
      const scale = this.cells / Math.max(1, coverage.length);
      add('rlm-strip-place', this.place.start * scale, this.place.end * scale);
    }
    if (this.part) add('rlm-strip-part', this.part.from, this.part.to);
    add('rlm-strip-cursor', this.cursor, this.cursor + 1);
    return frames;
  }

  // ---- words -------------------------------------------------------------------------------------------------

  /** @param {number} from @param {number} to */
  words(from, to) {
    const { coverage } = this;
    if (!coverage) return '';
    const { start, end } = charsOf(coverage.length, this.cells, from, to);
    const cells = coverage.strip.slice(from, to);
    const share = cells.reduce((sum, each) => sum + each, 0) / Math.max(1, cells.length);
    const at = partsAt(coverage.landmarks, start, end);
    const chars = `characters ${start.toLocaleString('en')} to ${end.toLocaleString('en')}`;
    return [at, chars, `${percent(share)} read`].filter(Boolean).join('\n');
  }

  /** What a screen reader says of where the cursor is. */
  say() {
    mark(this.bar, 'aria-valuemin', '1');
    mark(this.bar, 'aria-valuemax', String(this.cells));
    mark(this.bar, 'aria-valuenow', String(this.cursor + 1));
    mark(this.bar, 'aria-valuetext', line(this.words(this.cursor, this.cursor + 1).replaceAll('\n', ', '), 300));
    mark(this.bar, 'aria-description', STRIP_HELP);
  }

  // ---- pointer and keys --------------------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  cellAt(event) {
    const box = this.bar.getBoundingClientRect();
    const at = Math.floor(((event.clientX - box.left) / Math.max(1, box.width)) * this.cells);
    return Math.max(0, Math.min(this.cells - 1, at));
  }

  /** @param {PointerEvent} event */
  hover(event) {
    const at = this.cellAt(event);
    const [from, to] = [this.down ?? at, at].sort((a, b) => a - b);
    this.tip.hidden = !this.coverage;
    put(
      this.tip,
      this.words(from, to + 1)
        .split('\n')
        .map(each => line(each, 120))
        .join('\n')
    );
    const x = event.clientX - this.element.getBoundingClientRect().left;
    const left = Math.max(0, Math.min(x + 8, this.element.clientWidth - this.tip.offsetWidth));
    this.tip.style.transform = `translate(${left}px, ${this.bar.offsetHeight + 4}px)`;
    if (this.down === null) return;
    this.part = { from, to: to + 1 };
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.coverage) return;
    const far = event.shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: this.cursor - far,
      ArrowDown: this.cursor - far,
      ArrowRight: this.cursor + far,
      ArrowUp: this.cursor + far,
      PageUp: this.nextPart(-1),
      PageDown: this.nextPart(1),
      Home: 0,
      End: this.cells - 1
    };
    const to = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (to !== undefined) {
      this.cursor = Math.max(0, Math.min(this.cells - 1, to));
      this.draw();
    } else if (event.key === 'Enter' || event.key === ' ') {
      this.take({ from: this.cursor, to: this.cursor + 1 });
    } else return;
    event.preventDefault();
    event.stopPropagation(); // else Lab moves between cells
  }

  /** The cell where the next part of the document begins. @param {1 | -1} way */
  nextPart(way) {
    const { coverage } = this;
    if (!coverage) return this.cursor;
    const { length, landmarks } = coverage;
    const starts = [...new Set(landmarks.map(each => cellOf(length, this.cells, each.start)))];
    const beyond = starts.filter(each => (each - this.cursor) * way > 0);
    if (!beyond.length) return this.cursor + way * Math.round(this.cells / 10);
    return way > 0 ? Math.min(...beyond) : Math.max(...beyond);
  }
}
