// @ts-check
/**
 * The top line: what runs, what it waits for, what it cost and what failed; the buttons that steer it; the limits.
 *
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./store').Store} Store
 * @typedef {import('./facts').Row} Row
 */

import { button, el, mark, put } from './dom.js';
import { nextFailure } from './failures.js';
import { count, duration, line, money, sumUsage, usageLine } from './format.js';
import { makeRaise } from './raise.js';

/** @type {Record<string, string>} */
const STATES = { running: 'Running', paused: 'Paused', stopping: 'Stopping' };
/** @type {Record<string, string>} */
const OUTCOMES = { answered: 'Answered', limit: 'Stopped at a limit', failed: 'Failed', stopped: 'Stopped' };
const PAUSES = {
  pause: 'Pause before the next token, cell or call',
  resume: 'Let the run go on',
  step: 'Let one cell or call through, then pause again'
};
/** @type {Record<string, string>} */
const LIMITS = {
  cost_usd: 'cost',
  tokens: 'tokens',
  calls: 'calls',
  turns: 'turns',
  seconds: 'time',
  depth: 'depth',
  concurrency: 'at once'
};

/** @param {HTMLElement} host @param {Ctx} ctx @returns {import('./panel').PanelView} */
export function headView(host, ctx) {
  const store = ctx.state;
  const command = (/** @type {import('./generated').Command} */ name) => () => ctx.send({ kind: 'command', name });
  const state = el('div', { class: 'rlm-state', role: 'status' });
  const pause = button('Pause', () => command(store.control.state === 'paused' ? 'resume' : 'pause')());
  const step = button('Step', command('step'));
  const stop = button('Stop', command('stop'), {
    class: 'rlm-stop',
    title: 'Stop this run; its cells and what was paid for stay'
  });
  const sums = el('span', { class: 'rlm-sums' });
  const failed = button('', () => nextFailure(ctx), { class: 'rlm-failures', title: 'Go to the next failure (F8)' });
  const waiting = button('', () => toDecision(ctx), { class: 'rlm-waiting' });
  const facts = el('div', { class: 'rlm-facts-line' }, sums, failed, waiting);
  const bars = el('div', { class: 'rlm-limits', 'aria-label': 'Limits' });
  const steer = makeSteer(ctx);
  const raise = makeRaise(ctx);
  host.append(state, el('div', { class: 'rlm-buttons' }, pause, step, stop), facts, bars, steer.root, raise.root);

  return {
    update() {
      const run = store.shownRun();
      const busy = store.live && store.control.state !== 'idle';
      drawState(state, store, run, busy);
      put(sums, run ? sumsOf(store, run) : '');
      const failures = run ? store.failureCount(run.id) : 0;
      failed.hidden = failures === 0;
      put(failed, `✕ ${count(failures, 'failure')}`);
      const decisions = store.live ? store.control.waiting.length : 0;
      waiting.hidden = decisions === 0;
      put(waiting, `${count(decisions, 'decision')} to make`);
      const paused = store.control.state === 'paused';
      put(pause, paused ? 'Resume' : 'Pause');
      pause.disabled = !busy || store.control.state === 'stopping' || decisions > 0;
      step.disabled = !busy || !paused || decisions > 0;
      // What waits for a decision goes on by being decided.
      const title = decisions ? 'Decide first about what waits' : '';
      mark(pause, 'title', title || PAUSES[paused ? 'resume' : 'pause']);
      mark(step, 'title', title || PAUSES.step);
      stop.disabled = !busy || store.control.state === 'stopping';
      drawLimits(bars, store, busy || run === store.lastRun());
      steer.update(busy);
      raise.update(run, busy);
    },
    destroy() {
      host.replaceChildren();
    }
  };
}

/** @param {HTMLElement} element @param {Store} store @param {Row | null} run @param {boolean} busy */
function drawState(element, store, run, busy) {
  const { state, waits_for: waits } = store.control;
  let text = 'Idle';
  if (busy) {
    text = STATES[state] ?? state;
    if (waits) text += state === 'paused' ? `, waits for ${line(waits)}` : `: ${line(waits)}`;
  } else if (run) text = OUTCOMES[run.outcome ?? ''] ?? 'Idle';
  put(element, text);
  mark(element, 'title', text);
  mark(element, 'data-state', busy ? state : (run?.outcome ?? 'idle'));
}

/** What a question took, with the runs it went on with: its own model, and everything below it.
 * @param {Store} store @param {Row} run */
function sumsOf(store, run) {
  const runs = store.chain(run);
  const total = sumUsage(runs.map(each => each.total));
  const times = runs.map(each => store.elapsed(each)).filter(each => each !== null);
  const seconds = times.length ? times.reduce((sum, each) => sum + each) : null;
  const all = `${usageLine(total)} · ${duration(seconds)}`.replace(/ · $/, '');
  let own = 0;
  for (const id of runs.flatMap(each => store.children(each.id))) {
    const row = store.rows.get(id);
    if (row?.kind !== 'turn') continue;
    if (row.usage.cost_usd === null) return all;
    own += row.usage.cost_usd;
  }
  const whole = total.cost_usd;
  if (!whole || whole - own < 1e-9 || own === 0) return all;
  return `${all} · ${money(own)} its own turns, ${money(whole - own)} its calls`;
}

/** @param {Ctx} ctx */
function toDecision(ctx) {
  const box = document.getElementById(ctx.view)?.querySelector('.rlm-decide');
  const first = box?.querySelector('textarea, button, input');
  if (first instanceof HTMLElement) first.focus();
}

/** @param {HTMLElement} host @param {Store} store @param {boolean} shown */
function drawLimits(host, store, shown) {
  const limits = shown ? store.control.limits : [];
  host.hidden = limits.length === 0;
  while (host.children.length > limits.length) host.lastElementChild?.remove();
  while (host.children.length < limits.length) {
    const bar = el('span', { class: 'rlm-bar' }, el('span', { class: 'rlm-fill' }));
    host.append(el('span', { class: 'rlm-limit', role: 'meter' }, el('span', {}), bar));
  }
  limits.forEach((limit, at) => {
    const element = /** @type {HTMLElement} */ (host.children[at]);
    const part = limit.limit > 0 ? Math.min(1, limit.used / limit.limit) : 1;
    const name = LIMITS[limit.kind] ?? limit.kind;
    put(element.children[0], name);
    mark(element, 'title', `${name}: ${limit.text} left`);
    mark(element, 'aria-label', `${name}: ${limit.text} left`);
    mark(element, 'aria-valuenow', String(Math.round(part * 100)));
    mark(element, 'data-level', part >= 1 ? 'used' : part >= 0.8 ? 'low' : null);
    element.style.setProperty('--rlm-part', part.toFixed(3));
  });
}

/** A message to the model, delivered with its next turn. @param {Ctx} ctx */
function makeSteer(ctx) {
  const store = ctx.state;
  const input = el('input', {
    class: 'rlm-input',
    type: 'text',
    maxlength: 4000,
    placeholder: 'Tell the model something',
    'aria-label': 'Message to the model, delivered with its next turn'
  });
  const send = button('Send', () => undefined);
  send.type = 'submit';
  const pending = el('p', { class: 'rlm-pending', hidden: true });
  const form = el('form', { class: 'rlm-steer' }, input, send);
  const root = el('div', { class: 'rlm-steerbox', hidden: true }, form, pending);
  input.addEventListener('keydown', event => event.stopPropagation()); // letters are commands of the notebook
  form.addEventListener('submit', event => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || !store.live) return;
    ctx.send({ kind: 'steer', text });
    input.value = '';
    ctx.say('The model is told with its next turn.');
  });
  return {
    root,
    /** @param {boolean} busy */
    update(busy) {
      const steers = store.live ? store.control.steers : [];
      root.hidden = !busy && steers.length === 0;
      form.hidden = !busy;
      pending.hidden = steers.length === 0;
      put(pending, steers.length ? `With the next turn: ${steers.map(text => line(text)).join(' · ')}` : '');
    }
  };
}
