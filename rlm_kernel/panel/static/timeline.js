// @ts-check
/**
 * What ran when: one lane for each turn and call at the same time. Drawn on a canvas, for there may be ten thousand; the
 * tree says the same in words.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./lanes').Bar} Bar
 */

import { button, el, mark, put } from './dom.js';
import { count, duration, line, money, statusWord } from './format.js';
import { planLanes, tickStep } from './lanes.js';

const AXIS_PX = 18;
const TICK_PX = 80;
const REPLAN_MS = 250;
const HELP = 'Arrow keys go from bar to bar, + and − zoom, 0 fits all.';

/** @param {HTMLElement} host @param {Ctx} ctx @returns {import('./panel').PanelView} */
export function timelineView(host, ctx) {
  const view = new Timeline(host, ctx);
  return { update: () => view.update(), destroy: () => view.destroy() };
}

/** The lanes, the part of the time in sight, and the pointer. */
class Timeline {
  /** @param {HTMLElement} host @param {Ctx} ctx */
  constructor(host, ctx) {
    this.ctx = ctx;
    this.store = ctx.state;
    this.canvas = el('canvas', { class: 'rlm-canvas', role: 'img', tabindex: 0 });
    this.tip = el('div', { class: 'rlm-tip', hidden: true, 'aria-hidden': 'true' });
    this.note = el('span', { class: 'rlm-caption' });
    this.box = el('div', { class: 'rlm-lanes' }, this.canvas, this.tip);
    this.bar = el(
      'div',
      { class: 'rlm-toolbar' },
      this.note,
      button('−', () => this.zoom(0.5), { 'aria-label': 'Zoom out' }),
      button('+', () => this.zoom(2), { 'aria-label': 'Zoom in' }),
      button('Fit', () => this.fit())
    );
    /** @type {import('./lanes').Plan} */
    this.plan = { bars: [], turns: 0, lanes: 0, seconds: 1 };
    this.root = '';
    this.planned = -1;
    this.plannedAt = 0;
    this.replan = 0;
    this.from = 0;
    /** Seconds in sight; 0: all. */
    this.span = 0;
    /** @type {{x: number, from: number} | null} */
    this.drag = null;
    this.moved = false;
    host.append(this.bar, this.box);
    this.listen();
  }

  listen() {
    this.canvas.addEventListener('pointermove', event => this.hover(event));
    this.canvas.addEventListener('pointerleave', () => (this.tip.hidden = true));
    this.canvas.addEventListener('pointerdown', event => {
      this.drag = { x: event.offsetX, from: this.from };
      this.moved = false;
      this.canvas.setPointerCapture(event.pointerId);
    });
    this.canvas.addEventListener('pointerup', event => {
      const bar = this.moved ? null : this.at(event);
      this.drag = null;
      if (bar) this.ctx.choose(bar.row.id, { reveal: true });
    });
    this.canvas.addEventListener('wheel', event => this.wheel(event), { passive: false });
    this.canvas.addEventListener('keydown', event => this.key(event));
  }

  destroy() {
    clearTimeout(this.replan);
    this.bar.remove();
    this.box.remove();
  }

  fit() {
    this.span = 0;
    this.from = 0;
    this.ctx.later();
  }

  /** @param {number} by @param {number} [middle] part of the width that stays where it is */
  zoom(by, middle = 0.5) {
    const span = this.span || this.plan.seconds;
    const fixed = this.from + span * middle;
    const wanted = span / by;
    this.span = wanted >= this.plan.seconds ? 0 : Math.max(wanted, 0.001);
    this.move(fixed - (this.span || this.plan.seconds) * middle);
  }

  /** @param {number} from */
  move(from) {
    this.from = Math.max(0, Math.min(this.plan.seconds - (this.span || this.plan.seconds), from));
    this.ctx.later();
  }

  update() {
    const root = this.store.shownRun();
    this.makePlan(root);
    const { bars, seconds } = this.plan;
    put(this.note, bars.length ? `${count(bars.length, 'bar')} · ${duration(seconds)}` : 'Nothing has run yet.');
    mark(this.canvas, 'aria-label', `Timeline of ${count(bars.length, 'turn or call')}, ${duration(seconds)}. ${HELP}`);
    this.draw();
  }

  /** @param {import('./facts').Row | null} root */
  makePlan(root) {
    if ((root?.id ?? '') !== this.root) {
      this.root = root?.id ?? '';
      this.planned = -1;
      this.fit();
    }
    const busy = this.store.live && root !== null && root.ended === null;
    if (this.planned === this.store.version && !busy) return;
    if (this.planned >= 0 && Date.now() - this.plannedAt < REPLAN_MS) {
      this.replan ||= setTimeout(() => {
        this.replan = 0;
        this.ctx.later();
      }, REPLAN_MS);
      return;
    }
    this.planned = this.store.version;
    this.plannedAt = Date.now();
    this.plan = root ? planLanes(this.store, root) : { bars: [], turns: 0, lanes: 0, seconds: 1 };
  }

  get lanePx() {
    const { lanes } = this.plan;
    return lanes <= 12 ? 16 : lanes <= 40 ? 10 : 5;
  }

  // ---- drawing -----------------------------------------------------------------------------------------------

  draw() {
    const width = Math.max(50, this.box.clientWidth);
    const height = AXIS_PX + Math.max(1, this.plan.lanes) * this.lanePx + 4;
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.height = `${height}px`;
    }
    const paint = this.canvas.getContext('2d');
    if (!paint) return;
    const style = getComputedStyle(this.canvas);
    /** @param {string} name */
    const colour = name => style.getPropertyValue(name).trim() || '#888';
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, width, height);
    this.drawAxis(paint, width, height, colour);
    const span = this.span || this.plan.seconds;
    for (const bar of this.plan.bars) {
      const left = ((bar.start - this.from) / span) * width;
      const right = ((bar.end - this.from) / span) * width;
      if (right < 0 || left > width) continue;
      const top = AXIS_PX + bar.lane * this.lanePx;
      paint.fillStyle = colour(colourOf(bar.row));
      paint.globalAlpha = bar.row.cached ? 0.45 : 1;
      paint.fillRect(left, top + 1, Math.max(1.5, right - left - 0.5), this.lanePx - 2);
      if (bar.row.id !== this.store.chosen) continue;
      paint.globalAlpha = 1;
      paint.strokeStyle = colour('--rlm-ink');
      paint.lineWidth = 2;
      paint.strokeRect(left, top, Math.max(4, right - left), this.lanePx);
    }
    paint.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} paint
   * @param {number} width
   * @param {number} height
   * @param {(name: string) => string} colour
   */
  drawAxis(paint, width, height, colour) {
    const span = this.span || this.plan.seconds;
    const step = tickStep(span, Math.max(1, width / TICK_PX));
    paint.font = '11px system-ui, sans-serif';
    paint.textBaseline = 'top';
    for (let at = Math.ceil(this.from / step) * step; at <= this.from + span; at += step) {
      const x = ((at - this.from) / span) * width;
      paint.fillStyle = colour('--rlm-line');
      paint.fillRect(x, 0, 1, height);
      paint.fillStyle = colour('--rlm-soft');
      paint.fillText(step < 1 ? `${at.toFixed(step < 0.1 ? 3 : 1)} s` : duration(at).replace('.0', ''), x + 3, 3);
    }
    if (this.plan.turns && this.plan.turns < this.plan.lanes) {
      paint.fillStyle = colour('--rlm-line');
      paint.fillRect(0, AXIS_PX + this.plan.turns * this.lanePx, width, 1);
    }
  }

  // ---- pointer and keys --------------------------------------------------------------------------------------

  /** @param {MouseEvent} event @returns {Bar | null} */
  at(event) {
    const span = this.span || this.plan.seconds;
    const width = this.canvas.clientWidth;
    const time = this.from + (event.offsetX / width) * span;
    const slack = (3 / width) * span;
    const lane = Math.floor((event.offsetY - AXIS_PX) / this.lanePx);
    /** @param {Bar} bar */
    const fits = bar => bar.lane === lane && bar.start - slack <= time && time <= bar.end + slack;
    return this.plan.bars.find(fits) ?? null;
  }

  /** @param {PointerEvent} event */
  hover(event) {
    if (this.drag) {
      const by = event.offsetX - this.drag.x;
      this.moved ||= Math.abs(by) > 3;
      const span = this.span || this.plan.seconds;
      if (this.moved) this.move(this.drag.from - (by / this.canvas.clientWidth) * span);
      return;
    }
    const bar = this.at(event);
    this.tip.hidden = !bar;
    if (!bar) return;
    const { row } = bar;
    const facts = [statusWord(row.status), line(row.model ?? '', 60), duration(bar.end - bar.start)];
    put(this.tip, `${line(row.label, 80)}\n${[...facts, money(row.usage.cost_usd)].filter(Boolean).join(' · ')}`);
    const left = Math.min(event.offsetX + 12, this.canvas.clientWidth - this.tip.offsetWidth - 4);
    this.tip.style.transform = `translate(${Math.max(0, left)}px, ${event.offsetY + 14}px)`;
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 1.3 : 1 / 1.3, event.offsetX / this.canvas.clientWidth);
    } else if (this.span && (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY))) {
      event.preventDefault();
      this.move(this.from + ((event.deltaX || event.deltaY) / this.canvas.clientWidth) * this.span);
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === '+' || event.key === '=') this.zoom(2);
    else if (event.key === '-') this.zoom(0.5);
    else if (event.key === '0') this.fit();
    else if (event.key === 'ArrowRight' || event.key === 'ArrowLeft') this.step(event.key === 'ArrowRight' ? 1 : -1);
    else return;
    event.preventDefault();
    event.stopPropagation(); // else Lab moves between cells
  }

  /** @param {number} by */
  step(by) {
    const bars = [...this.plan.bars].sort((a, b) => a.start - b.start);
    if (!bars.length) return;
    const at = bars.findIndex(bar => bar.row.id === this.store.chosen);
    const { row } = bars[at < 0 ? 0 : Math.max(0, Math.min(bars.length - 1, at + by))];
    this.ctx.choose(row.id, { reveal: true });
    this.ctx.say(`${line(row.label, 80)}, ${statusWord(row.status)}`);
  }
}

/** @param {import('./facts').Row} row */
function colourOf(row) {
  if (row.status === 'failed') return '--rlm-bad';
  if (row.status === 'stopped' || row.status === 'paused') return '--rlm-warn';
  if (row.kind === 'turn') return '--rlm-accent';
  return row.status === 'done' ? '--rlm-good' : '--rlm-soft';
}
