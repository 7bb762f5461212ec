// @ts-check
/**
 * The panel: a live tree of runs, turns and calls, with Pause, Step and Stop.
 *
 * Rows come as `snapshot` (all) and `delta` (changed); long texts come when a node is chosen. Only the rows
 * in sight are in the page, so ten thousand nodes scroll as ten do. Everything a model or a document wrote is
 * set as text, never as markup.
 *
 * @typedef {{input_tokens: number, cached_tokens: number, output_tokens: number, calls: number,
 *            cost_usd: number | null, seconds: number, estimated: boolean}} Usage
 * @typedef {{id: string, run_id: string, parent_id: string | null, kind: "run" | "turn" | "call", label: string,
 *            status: string, outcome: string | null, model: string | null, batch: string | null, cached: boolean,
 *            error: string | null, started: number | null, ended: number | null, usage: Usage, total: Usage}} Row
 * @typedef {{state: string, waits_for: string}} ControlState
 * @typedef {{kind: "snapshot" | "delta", nodes: Row[], removed: string[], control: ControlState, now: number}} Rows
 * @typedef {{id: string, prompt: string, reply: string, code: string, output: string, error: string | null,
 *            remedy: string}} Texts
 * @typedef {{kind: "detail", texts: Texts}} Detail
 * @typedef {{key: string, parent: string | null, level: number, pos: number, size: number, open: boolean | null,
 *            row: Row | null, calls: Row[]}} Item  One line of the tree: a node, or a batch of calls (row is null).
 * @typedef {{get(name: string): any, send(content: object): void, on(event: string, then: Function): void,
 *            off(event: string, then: Function): void}} Model
 */

const ROW_PX = 24;
const TALL_ROW_PX = 40; // in a narrow sidebar the figures stand in a second line
const NARROW_PX = 360; // as in panel.css
const SPARE_ROWS = 8;
const DETAIL_EVERY_MS = 400;
const FINAL = new Set(['done', 'failed', 'stopped']);
const GLYPH = { pending: '○', running: '◐', paused: '‖', done: '✓', failed: '✕', stopped: '■' };
const KIND_GLYPH = { run: '?', turn: '', call: '↳', batch: '≡' }; // a turn shows its number
const COLUMNS = ['name', 'status', 'model', 'in', 'cached', 'out', 'cost', 'time'];
const EMPTY = 'No question yet. Write %%rlm in the first line of a cell and a question below it, then run the cell.';
let panels = 0;

// ---- words for people ----------------------------------------------------------------------------------------

/** @param {number} number @param {string} word */
function count(number, word) {
  return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`;
}

/** @param {number | null} cost */
function money(cost) {
  if (cost === null) return 'cost unknown';
  if (cost === 0) return 'free';
  return `$${cost.toFixed(cost >= 1 ? 2 : 4)}`;
}

/** @param {number | null} seconds */
function duration(seconds) {
  if (seconds === null) return '';
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
}

/** @param {Usage} usage */
function usageLine(usage) {
  const cached = usage.cached_tokens ? ` (${usage.cached_tokens.toLocaleString('en')} cached)` : '';
  const about = usage.estimated ? '~' : '';
  const tokens = `${about}${usage.input_tokens.toLocaleString('en')} in${cached} · `;
  return `${count(usage.calls, 'call')} · ${tokens}${usage.output_tokens.toLocaleString('en')} out · ${money(usage.cost_usd)}`;
}

/** @param {Usage[]} usages @returns {Usage} */
function sum(usages) {
  /** @type {Usage} */
  const all = {
    input_tokens: 0,
    cached_tokens: 0,
    output_tokens: 0,
    calls: 0,
    cost_usd: 0,
    seconds: 0,
    estimated: false
  };
  for (const usage of usages) {
    all.input_tokens += usage.input_tokens;
    all.cached_tokens += usage.cached_tokens;
    all.output_tokens += usage.output_tokens;
    all.calls += usage.calls;
    all.cost_usd = all.cost_usd === null || usage.cost_usd === null ? null : all.cost_usd + usage.cost_usd;
    all.seconds += usage.seconds;
    all.estimated ||= usage.estimated;
  }
  return all;
}

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text]
 */
function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Sets a text only where it is new, so that a person's selection in it lives on.
 * @param {Element} element @param {string} text */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// ---- the tree as data ----------------------------------------------------------------------------------------

/** All rows, and which of them stand open. */
class Nodes {
  constructor() {
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Map<string | null, string[]>} */
    this.below = new Map();
    /** Keys that a person opened or closed against the custom. @type {Map<string, boolean>} */
    this.toggled = new Map();
  }

  /** @param {Rows} message */
  take(message) {
    if (message.kind === 'snapshot') {
      this.rows.clear();
      this.below.clear();
    }
    for (const row of message.nodes) {
      if (!this.rows.has(row.id)) {
        const siblings = this.below.get(row.parent_id);
        if (siblings) siblings.push(row.id);
        else this.below.set(row.parent_id, [row.id]);
      }
      this.rows.set(row.id, row);
    }
    for (const id of message.removed) this.remove(id);
  }

  /** @param {string} id */
  remove(id) {
    const row = this.rows.get(id);
    if (!row) return;
    for (const child of [...(this.below.get(id) ?? [])]) this.remove(child);
    this.below.delete(id);
    this.rows.delete(id);
    const siblings = this.below.get(row.parent_id) ?? [];
    siblings.splice(siblings.indexOf(id), 1);
  }

  /** @returns {Row | null} the run that was asked last */
  lastRun() {
    const runs = this.below.get(null) ?? [];
    return runs.length ? (this.rows.get(runs[runs.length - 1]) ?? null) : null;
  }

  /** The lines in sight of the tree, from top to bottom. @returns {Item[]} */
  lines() {
    /** @type {Item[]} */
    const lines = [];
    this.walk(null, null, 1, lines);
    return lines;
  }

  /** @param {string | null} parent @param {string | null} parentKey @param {number} level @param {Item[]} lines */
  walk(parent, parentKey, level, lines) {
    const groups = this.groups(parent);
    groups.forEach((calls, index) => {
      const place = { parent: parentKey, level, pos: index + 1, size: groups.length };
      if (calls.length === 1) {
        const row = calls[0];
        const open = this.below.get(row.id)?.length ? (this.toggled.get(row.id) ?? true) : null;
        lines.push({ ...place, key: row.id, open, row, calls: [] });
        if (open) this.walk(row.id, row.id, level + 1, lines);
        return;
      }
      const key = `batch:${calls[0].id}`;
      const open = this.toggled.get(key) ?? false;
      lines.push({ ...place, key, open, row: null, calls });
      if (!open) return;
      calls.forEach((row, at) => {
        const under = { parent: key, level: level + 1, pos: at + 1, size: calls.length };
        const opened = this.below.get(row.id)?.length ? (this.toggled.get(row.id) ?? false) : null;
        lines.push({ ...under, key: row.id, open: opened, row, calls: [] });
        if (opened) this.walk(row.id, row.id, level + 2, lines);
      });
    });
  }

  /** The children of a node; the calls of one batch together. @param {string | null} parent @returns {Row[][]} */
  groups(parent) {
    /** @type {Row[][]} */
    const groups = [];
    /** @type {Map<string, Row[]>} */
    const batches = new Map();
    for (const id of this.below.get(parent) ?? []) {
      const row = /** @type {Row} */ (this.rows.get(id));
      const batch = row.batch === null ? undefined : batches.get(row.batch);
      if (batch) {
        batch.push(row);
        continue;
      }
      const group = [row];
      if (row.batch !== null) batches.set(row.batch, group);
      groups.push(group);
    }
    return groups;
  }
}

/** A turn is done when its cell has run; that the cell failed is said all the same. @param {Row} row */
function wordOf(row) {
  return row.status === 'done' && row.error ? 'error' : row.status;
}

/** What a line shows, whether it is one node or a batch. @param {Item} item */
function facts(item) {
  if (item.row) {
    const row = item.row;
    const model = row.model ?? '';
    const usage = row.kind === 'call' ? row.usage : row.total;
    return {
      ...row,
      kind: /** @type {string} */ (row.kind),
      model,
      usage,
      word: row.outcome ?? wordOf(row),
      share: null
    };
  }
  const calls = item.calls;
  const ended = calls.filter(row => FINAL.has(row.status));
  const failed = calls.filter(row => row.status === 'failed').length;
  const all = ended.length === calls.length;
  const models = [...new Set(calls.map(row => row.model ?? ''))];
  const word = calls[0].kind === 'run' ? 'child run' : 'call';
  const starts = calls.flatMap(row => (row.started === null ? [] : [row.started]));
  const ends = calls.flatMap(row => (row.ended === null ? [] : [row.ended]));
  return {
    kind: 'batch',
    label: `${count(calls.length, word)}: ${calls[0].label}`,
    status: all ? (failed ? 'failed' : 'done') : calls.some(row => row.status !== 'pending') ? 'running' : 'pending',
    word: `${ended.length.toLocaleString('en')}/${calls.length.toLocaleString('en')}${failed ? ` ✕${failed}` : ''}`,
    model: models.length === 1 ? models[0] : `${models.length} models`,
    usage: sum(calls.map(row => row.total)),
    started: starts.length ? starts.reduce((a, b) => Math.min(a, b)) : null,
    ended: all && ends.length ? ends.reduce((a, b) => Math.max(a, b)) : null,
    cached: calls.every(row => row.cached),
    error: failed ? `${count(failed, word)} of ${calls.length.toLocaleString('en')} failed.` : null,
    share: ended.length / calls.length
  };
}

// ---- the view ------------------------------------------------------------------------------------------------

/** One view of the panel. Owns its elements, its timers and its listeners; `close` gives all of them back. */
class View {
  /** @param {Model} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.id = `rlm-panel-${++panels}`;
    this.nodes = new Nodes();
    /** @type {Item[]} */
    this.items = [];
    /** @type {string | null} */
    this.chosen = null;
    /** @type {Texts | null} */
    this.texts = null;
    /** @type {ControlState} */
    this.control = { state: 'idle', waits_for: '' };
    this.live = false; // until the kernel has spoken: a saved picture must not offer a Stop that does nothing
    this.skew = 0;
    this.frame = 0;
    this.askTimer = 0;
    this.asked = 0;
    this.root = make('section', 'rlm-panel');
    this.state = make('div', 'rlm-state');
    this.sums = make('div', 'rlm-sums');
    this.pauseButton = makeButton('Pause', () => this.command(this.control.state === 'paused' ? 'resume' : 'pause'));
    this.stepButton = makeButton('Step', () => this.command('step'));
    this.stopButton = makeButton('Stop', () => this.command('stop'));
    this.tree = make('div', 'rlm-tree');
    this.sizer = make('div', 'rlm-sizer');
    this.detail = make('div', 'rlm-detail');
    /** @type {Array<() => void>} */
    this.undo = [];
    this.build(el);
    this.listen();
    const saved = model.get('snapshot');
    if (saved && Array.isArray(saved.nodes)) this.take(saved, false);
    this.draw();
    this.say({ kind: 'ready' });
  }

  /** @param {HTMLElement} el */
  build(el) {
    this.root.setAttribute('aria-label', 'RLM calls');
    this.state.setAttribute('role', 'status');
    this.stepButton.title = 'Let one cell or call through, then pause again';
    this.stopButton.classList.add('rlm-stop');
    const buttons = make('div', 'rlm-buttons');
    buttons.append(this.pauseButton, this.stepButton, this.stopButton);
    const head = make('header', 'rlm-head');
    head.append(this.state, buttons, this.sums);
    const columns = make('div', 'rlm-row rlm-columns');
    columns.setAttribute('aria-hidden', 'true');
    for (const name of COLUMNS) columns.append(make('span', `rlm-${name}`, name === 'name' ? '' : name));
    this.tree.tabIndex = 0;
    this.tree.setAttribute('role', 'tree');
    this.tree.setAttribute('aria-label', 'Runs, turns and calls');
    this.sizer.setAttribute('role', 'presentation');
    this.tree.append(this.sizer);
    this.detail.setAttribute('role', 'region');
    this.detail.setAttribute('aria-label', 'The chosen node');
    this.root.append(head, columns, this.tree, make('p', 'rlm-empty', EMPTY), this.detail);
    el.append(this.root);
  }

  listen() {
    /** @param {Rows | Detail} message */
    const onMessage = message => {
      if (message.kind === 'detail') this.showTexts(message.texts);
      else if (message.kind === 'delta' || message.kind === 'snapshot') this.take(message, true);
    };
    this.model.on('msg:custom', onMessage);
    this.undo.push(() => this.model.off('msg:custom', onMessage));
    this.tree.addEventListener('scroll', () => this.later());
    this.tree.addEventListener('keydown', event => this.key(event));
    this.tree.addEventListener('click', event => this.click(event));
    const watch = new ResizeObserver(() => this.later());
    watch.observe(this.tree);
    this.undo.push(() => watch.disconnect());
    const clock = setInterval(() => {
      if (this.live && this.control.state !== 'idle') this.later();
    }, 500);
    this.undo.push(() => clearInterval(clock));
  }

  close() {
    for (const undo of this.undo) undo();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.askTimer);
    this.root.remove();
  }

  /** @param {object} message */
  say(message) {
    try {
      this.model.send(message);
    } catch (error) {
      console.warn('rlm-kernel: the kernel cannot be reached', error); // a saved notebook without a kernel
    }
  }

  /** @param {string} name */
  command(name) {
    this.say({ kind: 'command', name });
  }

  /** @param {Rows} message @param {boolean} live */
  take(message, live) {
    this.nodes.take(message);
    this.control = message.control;
    this.live ||= live;
    this.skew = Date.now() / 1000 - message.now;
    if (this.chosen !== null && message.nodes.some(row => row.id === this.chosen)) this.askTexts(DETAIL_EVERY_MS);
    this.later();
  }

  /** Draw with the next frame; many messages make one drawing. */
  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Height of a row at the present width. */
  get rowPx() {
    return this.root.clientWidth <= NARROW_PX ? TALL_ROW_PX : ROW_PX;
  }

  draw() {
    const follow = this.tree.scrollTop + this.tree.clientHeight >= this.tree.scrollHeight - this.rowPx;
    const before = this.items.length;
    this.items = this.nodes.lines();
    this.root.classList.toggle('rlm-is-empty', this.items.length === 0);
    this.sizer.style.height = `${this.items.length * this.rowPx}px`;
    if (follow && this.items.length > before) this.tree.scrollTop = this.tree.scrollHeight;
    this.drawHead();
    this.drawRows();
    this.drawDetail();
  }

  drawHead() {
    const { state, waits_for: waits } = this.control;
    const run = this.nodes.lastRun();
    const busy = this.live && state !== 'idle';
    let text = busy ? ({ running: 'Running', paused: 'Paused', stopping: 'Stopping' }[state] ?? state) : 'Idle';
    if (busy && waits) text += state === 'paused' ? `, waits for ${waits}` : `: ${waits}`;
    if (!busy && run)
      text =
        { answered: 'Answered', limit: 'Stopped at a limit', failed: 'Failed', stopped: 'Stopped' }[
          run.outcome ?? ''
        ] ?? 'Idle';
    put(this.state, text);
    this.state.dataset.state = busy ? state : (run?.outcome ?? 'idle');
    put(this.sums, run ? `${usageLine(run.total)} · ${duration(this.elapsed(run))}` : '');
    put(this.pauseButton, state === 'paused' ? 'Resume' : 'Pause');
    this.pauseButton.disabled = !busy || state === 'stopping';
    this.stepButton.disabled = !busy || state !== 'paused';
    this.stopButton.disabled = !busy || state === 'stopping';
  }

  /** @param {{started: number | null, ended: number | null}} node */
  elapsed(node) {
    if (node.started === null) return null;
    if (node.ended === null && !this.live) return null;
    return (node.ended ?? Date.now() / 1000 - this.skew) - node.started;
  }

  drawRows() {
    const first = Math.max(0, Math.floor(this.tree.scrollTop / this.rowPx) - SPARE_ROWS);
    const last = Math.min(
      this.items.length,
      Math.ceil((this.tree.scrollTop + this.tree.clientHeight) / this.rowPx) + SPARE_ROWS
    );
    while (this.sizer.children.length > last - first) this.sizer.lastElementChild?.remove();
    while (this.sizer.children.length < last - first) this.sizer.append(emptyRow());
    let active = '';
    for (let index = first; index < last; index++) {
      const element = /** @type {HTMLElement} */ (this.sizer.children[index - first]);
      element.id = `${this.id}-${index}`;
      element.style.top = `${index * this.rowPx}px`;
      element.dataset.index = String(index);
      this.fillRow(element, this.items[index]);
      if (this.items[index].key === this.chosen) active = element.id;
    }
    if (active) this.tree.setAttribute('aria-activedescendant', active);
    else this.tree.removeAttribute('aria-activedescendant');
  }

  /** @param {HTMLElement} element @param {Item} item */
  fillRow(element, item) {
    const fact = facts(item);
    const usage = fact.usage;
    const spent = usage.calls > 0 || usage.input_tokens > 0 || usage.output_tokens > 0;
    const about = usage.estimated ? '~' : '';
    const time = duration(this.elapsed(fact));
    const word = fact.cached ? 'cached' : fact.word;
    element.dataset.kind = fact.kind;
    element.dataset.status = fact.status;
    element.setAttribute('aria-level', String(item.level));
    element.setAttribute('aria-posinset', String(item.pos));
    element.setAttribute('aria-setsize', String(item.size));
    element.setAttribute('aria-selected', String(item.key === this.chosen));
    if (item.open === null) element.removeAttribute('aria-expanded');
    else element.setAttribute('aria-expanded', String(item.open));
    element.style.setProperty('--rlm-level', String(item.level - 1));
    element.style.setProperty('--rlm-share', fact.share === null ? '0' : String(fact.share));
    const glyph = GLYPH[/** @type {keyof typeof GLYPH} */ (fact.status)] ?? '';
    const texts = [
      fact.label,
      word,
      fact.model,
      spent ? about + usage.input_tokens.toLocaleString('en') : '',
      spent && usage.cached_tokens ? usage.cached_tokens.toLocaleString('en') : '',
      spent ? about + usage.output_tokens.toLocaleString('en') : '',
      spent ? (usage.cost_usd === null ? '?' : money(usage.cost_usd)) : '',
      time
    ];
    const [twisty, kind, mark, ...cells] = element.children;
    put(twisty, item.open === null ? '' : item.open ? '▾' : '▸');
    put(kind, fact.kind === 'turn' ? String(item.pos) : KIND_GLYPH[/** @type {keyof typeof KIND_GLYPH} */ (fact.kind)]);
    put(mark, glyph);
    cells.forEach((cell, at) => put(cell, texts[at]));
    element.setAttribute(
      'aria-label',
      `${fact.kind}: ${fact.label}; ${word}${spent ? `; ${usageLine(usage)}` : ''}${time && `; ${time}`}`
    );
    element.title = fact.error ?? fact.label;
  }

  // -- choosing ----------------------------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  click(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const element = /** @type {HTMLElement | null} */ (target.closest('[data-index]'));
    if (!element) return;
    const item = this.items[Number(element.dataset.index)];
    if (!item) return;
    if (target.classList.contains('rlm-twisty') || (item.row === null && this.chosen === item.key)) this.toggle(item);
    this.choose(item);
  }

  /** @param {Item} item */
  toggle(item) {
    if (item.open !== null) this.nodes.toggled.set(item.key, !item.open);
    this.items = this.nodes.lines(); // at once: the next key may come before the next frame
    this.later();
  }

  /** @param {Item} item */
  choose(item) {
    if (this.chosen !== item.key) {
      this.chosen = item.key;
      this.texts = null;
      this.detail.replaceChildren();
    }
    this.askTexts(0);
    const index = this.items.findIndex(each => each.key === item.key);
    const top = index * this.rowPx;
    if (top < this.tree.scrollTop) this.tree.scrollTop = top;
    const bottom = top + this.rowPx - this.tree.clientHeight;
    if (bottom > this.tree.scrollTop) this.tree.scrollTop = bottom;
    this.later();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.items.length) return;
    const at = this.items.findIndex(each => each.key === this.chosen);
    const item = at < 0 ? null : this.items[at];
    const page = Math.max(1, Math.floor(this.tree.clientHeight / this.rowPx) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: Infinity, PageDown: at + page, PageUp: at - page }[
      event.key
    ];
    if (to !== undefined) {
      this.choose(this.items[Math.max(0, Math.min(this.items.length - 1, to))]);
    } else if (item && (event.key === 'Enter' || event.key === ' ')) {
      this.toggle(item);
    } else if (item && event.key === 'ArrowRight') {
      if (item.open === false) this.toggle(item);
      else if (item.open) this.choose(this.items[at + 1]);
    } else if (item && event.key === 'ArrowLeft') {
      const parent = this.items.find(each => each.key === item.parent);
      if (item.open) this.toggle(item);
      else if (parent) this.choose(parent);
    } else return;
    event.preventDefault();
    event.stopPropagation(); // else Lab moves between cells
  }

  // -- the detail --------------------------------------------------------------------------------------------

  /** Ask for the long texts of the chosen node, not more often than given. @param {number} every */
  askTexts(every) {
    if (this.askTimer) return;
    const wait = Math.max(60, this.asked + every - Date.now());
    this.askTimer = setTimeout(() => {
      this.askTimer = 0;
      this.asked = Date.now();
      if (this.chosen !== null && this.nodes.rows.has(this.chosen)) this.say({ kind: 'detail', id: this.chosen });
    }, wait);
  }

  /** @param {Texts} texts */
  showTexts(texts) {
    if (texts.id !== this.chosen) return;
    this.texts = texts;
    this.later();
  }

  drawDetail() {
    const item = this.items.find(each => each.key === this.chosen);
    this.detail.hidden = !item;
    if (!item) return;
    if (!this.detail.firstChild) this.detail.append(make('h3', 'rlm-title'), make('p', 'rlm-facts'));
    const fact = facts(item);
    const [title, line] = this.detail.children;
    put(title, `${fact.kind === 'batch' ? 'batch' : fact.kind}: ${fact.label}`);
    const own =
      item.row && item.row.kind === 'turn' && item.row.total.calls > item.row.usage.calls
        ? `own ${usageLine(item.row.usage)}; with its calls `
        : '';
    put(
      line,
      [fact.word, fact.model, own + usageLine(fact.usage), duration(this.elapsed(fact))].filter(Boolean).join(' · ')
    );
    const texts = item.row ? this.texts : null;
    const kind = item.row?.kind;
    this.section('error', 'Error', texts?.error ? `${texts.error} ${texts.remedy}`.trim() : (fact.error ?? ''));
    this.section('prompt', kind === 'run' ? 'Question' : 'Prompt', texts?.prompt ?? '');
    this.section('reply', kind === 'run' ? 'Answer' : 'Reply', texts?.reply ?? '');
    this.section('code', 'Code', texts?.code ?? '');
    this.section('output', 'Output', texts?.output ?? '');
  }

  /** @param {string} name @param {string} title @param {string} text */
  section(name, title, text) {
    let section = /** @type {HTMLDetailsElement | null} */ (this.detail.querySelector(`[data-part="${name}"]`));
    if (!section) {
      if (!text) return;
      section = /** @type {HTMLDetailsElement} */ (make('details', 'rlm-part'));
      section.dataset.part = name;
      section.open = true;
      const pre = make('pre');
      pre.tabIndex = 0;
      section.append(make('summary'), pre);
      this.detail.append(section);
    }
    section.hidden = !text;
    put(section.children[0], title);
    put(section.children[1], text);
  }
}

/** @param {string} text @param {() => void} then */
function makeButton(text, then) {
  const button = /** @type {HTMLButtonElement} */ (make('button', 'rlm-button', text));
  button.type = 'button';
  button.disabled = true;
  button.addEventListener('click', then);
  return button;
}

function emptyRow() {
  const element = make('div', 'rlm-row');
  element.setAttribute('role', 'treeitem');
  for (const name of ['twisty', 'kind', 'mark']) {
    const part = make('span', `rlm-${name}`);
    part.setAttribute('aria-hidden', 'true');
    element.append(part);
  }
  for (const name of COLUMNS) element.append(make('span', `rlm-${name}`));
  return element;
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
