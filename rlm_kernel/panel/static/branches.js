// @ts-check
/**
 * The runs that belong together: the one that was asked first, and what came of changing it.
 *
 * @typedef {import('./generated').BranchDict} Branch
 * @typedef {import('./generated').CompareDict} Comparison
 * @typedef {import('./generated').SideDict} Side
 * @typedef {import('./generated').TurnPairDict} TurnPair
 * @typedef {import('./generated').TurnSideDict} TurnSide
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./panel').PanelView} PanelView
 * @typedef {import('./store').Store} StoreType
 */

import { addText, codeBlock, lineDiff } from './code.js';
import { button, el, put } from './dom.js';
import { editWords, whyNot } from './edit.js';
import { clean, count, line, money, statusWord, turnNumber, usageLine } from './format.js';

const EMPTY =
  'No branches yet. Choose a line of the tree, change something in its detail and run again: both runs stay.';

/** @param {HTMLElement} host @param {Ctx} ctx @returns {PanelView} */
export function branchesView(host, ctx) {
  const view = new BranchesView(ctx);
  host.append(view.element);
  return view;
}

/** See `branchesView`. */
class BranchesView {
  /** @param {Ctx} ctx */
  constructor(ctx) {
    this.ctx = ctx;
    /** @type {Branch[]} */
    this.branches = [];
    this.root = '';
    this.asked = '';
    /** What is drawn, by branch. @type {Map<string, {sign: string, open: string, row: HTMLElement}>} */
    this.rows = new Map();
    this.opened = false;
    /** The branch whose name, deletion or comparison is being chosen: [what, id]. @type {[string, string]} */
    this.open = ['', ''];
    this.empty = el('p', { class: 'rlm-empty-view' }, EMPTY);
    this.problem = el('div', { class: 'rlm-problem', role: 'alert', hidden: true });
    this.list = el('ul', { class: 'rlm-branches', 'aria-label': 'Branches' });
    this.compared = el('div', { class: 'rlm-compared', 'aria-live': 'polite' });
    this.element = el('div', { class: 'rlm-branches-view' }, this.empty, this.problem, this.list, this.compared);
    this.element.setAttribute('data-lm-suppress-shortcuts', 'true');
    this.waits = false;
    /** The branch that the person wants to switch to, until Python's state is its. */
    this.switching = '';
    this.undo = [
      ctx.on('branches', /** @param {any} message */ message => this.take(message)),
      ctx.on('delta', () => this.changed()),
      ctx.on('compared', /** @param {any} message */ message => this.showComparison(message.comparison)),
      ctx.on('problem', /** @param {any} message */ message => this.takeProblem(message))
    ];
  }

  /** @param {{root: string, branches: Branch[]}} message */
  take(message) {
    if (message.root !== this.root && !message.branches.some(each => each.id === this.root)) return;
    this.branches = message.branches;
    if (message.branches.some(each => each.current && each.id === this.switching)) this.switching = '';
    this.waits = false;
    this.problem.hidden = true;
  }

  /** @param {import('./generated').ProblemMessage} problem */
  takeProblem(problem) {
    if (!this.waits) return;
    this.waits = false;
    this.switching = '';
    this.problem.hidden = false;
    put(this.problem, clean(`${problem.text} ${problem.remedy}`.trim()));
  }

  /** @param {import('./generated').FromView} message */
  send(message) {
    this.waits = true;
    this.problem.hidden = true;
    this.ctx.send(message);
  }

  /** @param {StoreType} state */
  update(state) {
    this.root = state.shownRun()?.id ?? '';
    const sign = this.sign(state);
    if (sign !== this.asked && state.live && this.root) {
      this.asked = sign;
      this.ctx.send({ kind: 'branches', root: this.root });
    }
    const mine = this.branches.some(each => each.id === this.root) ? this.branches : [];
    this.empty.hidden = mine.length > 1;
    this.draw(state, mine.length > 1 ? mine : []);
    if (mine.length < 2) this.compared.replaceChildren();
    if (this.opened) /** @type {HTMLElement | null} */ (this.list.querySelector('[data-first]'))?.focus();
    this.opened = false;
  }

  /**
   * Draw only what has changed: a row that is made anew loses the press of a button, and what was written in its form.
   *
   * @param {StoreType} state
   * @param {Branch[]} branches
   */
  draw(state, branches) {
    const why = whyNot(state);
    const had = document.activeElement;
    const known = this.rows;
    this.rows = new Map();
    branches.forEach((branch, at) => {
      const before = known.get(branch.id);
      const open = this.open[1] === branch.id ? this.open[0] : '';
      const label = state.rows.get(branch.at ?? '')?.label;
      const sign = JSON.stringify([branch, open, why, label]);
      const form = before && open && before.open === open ? before.row.lastElementChild : null;
      const row = before?.sign === sign ? before.row : this.row(state, branch, form ?? this.foot(branch, open, why));
      this.rows.set(branch.id, { sign, open, row });
      const there = this.list.children[at];
      if (!there) this.list.append(row);
      else if (there !== row) there.replaceWith(row);
    });
    while (this.list.children.length > branches.length) this.list.lastElementChild?.remove();
    if (had instanceof HTMLElement && had !== document.activeElement) this.sameAs(had)?.focus();
  }

  /**
   * What gets the keys after rows were drawn: the same element, else the same button of the new row; its name where that is off.
   *
   * @param {HTMLElement} had
   */
  sameAs(had) {
    if (this.list.contains(had)) return had;
    const row = /** @type {HTMLElement | null} */ (had.closest('[data-branch]'));
    const buttons = [...(this.rows.get(row?.dataset.branch ?? '')?.row.querySelectorAll('button') ?? [])];
    return buttons.find(each => each.textContent === had.textContent && !each.disabled) ?? buttons[0];
  }

  /** Rows have changed: after a switch that may mean that Python's state is another run's. */
  changed() {
    if (this.switching) this.ctx.send({ kind: 'branches', root: this.root });
  }

  /** What tells that the family may have changed: which questions there are, and how they ended. @param {StoreType} state */
  sign(state) {
    const runs = state.children(null).map(id => state.rows.get(id));
    return JSON.stringify([this.root, state.phase, runs.map(row => [row?.id, row?.outcome, row?.branch?.name])]);
  }

  /** @param {StoreType} state @param {Branch} branch @param {Element} foot */
  row(state, branch, foot) {
    const attrs = { class: 'rlm-branch', data: { branch: branch.id } };
    const row = el('li', attrs, this.head(branch), this.facts(state, branch), foot);
    if (branch.current) row.setAttribute('aria-current', 'true');
    return row;
  }

  /** The form that is open, else the buttons. @param {Branch} branch @param {string} open @param {string} why */
  foot(branch, open, why) {
    if (open === 'name') return this.nameForm(branch);
    if (open === 'delete') return this.deleteForm(branch);
    if (open === 'compare') return this.compareForm(branch, this.branches);
    return this.buttons(branch, why);
  }

  /** @param {Branch} branch */
  head(branch) {
    const head = el(
      'div',
      { class: 'rlm-branch-head' },
      el('span', { class: 'rlm-branch-mark', 'aria-hidden': 'true' }, branch.of === null ? '●' : '↳'),
      button(nameOf(branch), () => this.ctx.choose(branch.id, { reveal: true }), { class: 'rlm-link rlm-branch-name' })
    );
    if (branch.current) head.append(el('span', { class: 'rlm-badge' }, 'Python’s state'));
    return head;
  }

  /** @param {StoreType} state @param {Branch} branch */
  facts(state, branch) {
    const at = branch.at === null ? undefined : state.rows.get(branch.at);
    const place = at ? `${at.kind === 'turn' ? `turn ${turnNumber(at)}` : at.kind} “${line(at.label, 50)}”` : '';
    const made = branch.of === null ? '' : `${editWords(branch.edit)}${place ? ` at ${place}` : ''}`;
    const kept = branch.kept ? ` (${branch.kept} kept)` : '';
    const cost = branch.cost_usd === null ? 'cost unknown' : money(branch.cost_usd);
    const facts = [statusWord(branch.outcome ?? 'running'), `${count(branch.turns, 'turn')}${kept}`, cost].join(' · ');
    const box = el('div', { class: 'rlm-branch-facts' });
    if (made) box.append(el('p', {}, made));
    box.append(el('p', { class: 'rlm-facts' }, facts));
    if (branch.answer) box.append(el('p', { class: 'rlm-branch-answer' }, line(branch.answer, 160)));
    return box;
  }

  /** @param {Branch} branch @param {string} why */
  buttons(branch, why) {
    const show = button('Switch to it', () => this.switchTo(branch.id), {
      disabled: why !== '',
      title: why || null
    });
    const bar = el('div', { class: 'rlm-buttons' }, show);
    bar.append(
      button('Compare…', () => this.toggle('compare', branch.id)),
      button('Name…', () => this.toggle('name', branch.id))
    );
    if (branch.of !== null) {
      bar.append(
        button('Delete…', () => this.toggle('delete', branch.id), { disabled: why !== '', title: why || null })
      );
    }
    return bar;
  }

  /** @param {string} id */
  switchTo(id) {
    this.switching = id;
    this.send({ kind: 'branch', do: 'switch', id });
    this.ctx.choose(id, { reveal: true });
  }

  /** @param {string} what @param {string} id */
  toggle(what, id) {
    this.open = [what, id];
    this.opened = what !== '';
    this.problem.hidden = true;
    this.ctx.later();
  }

  /** @param {Branch} branch */
  nameForm(branch) {
    const input = el('input', { type: 'text', maxlength: 80, 'aria-label': 'Name of the branch', data: { first: '' } });
    input.value = branch.named ? branch.name : '';
    const save = () => {
      this.send({ kind: 'branch', do: 'name', id: branch.id, name: input.value.trim() });
      this.toggle('', '');
    };
    return this.small(branch, input, button('Save', save), save);
  }

  /** @param {Branch} branch */
  deleteForm(branch) {
    const remove = () => {
      this.send({ kind: 'branch', do: 'delete', id: branch.id });
      this.toggle('', '');
    };
    const sure = button('Delete', remove, { class: 'rlm-danger', data: { first: '' } });
    const words = `Delete “${nameOf(branch)}” with everything that was asked only for it? This cannot be undone.`;
    return this.small(branch, el('span', {}, words), sure, remove);
  }

  /** @param {Branch} branch @param {Branch[]} all */
  compareForm(branch, all) {
    const select = el('select', { 'aria-label': 'The other one', data: { first: '' } });
    const others = all.filter(each => each.id !== branch.id);
    select.append(...others.map(each => el('option', { value: each.id }, nameOf(each))));
    const base = others.find(each => each.id === branch.of) ?? others.find(each => each.current);
    if (base) select.value = base.id;
    const compare = () => {
      this.send({ kind: 'branch', do: 'compare', id: select.value, with: branch.id });
      this.toggle('', '');
    };
    return this.small(branch, el('label', {}, 'Compare with ', select), button('Compare', compare), compare);
  }

  /** @param {Branch} branch @param {HTMLElement} field @param {HTMLButtonElement} go @param {() => void} then */
  small(branch, field, go, then) {
    const form = el(
      'div',
      { class: 'rlm-small-form' },
      field,
      go,
      button('Back', () => this.back(branch))
    );
    form.addEventListener('keydown', event => {
      event.stopPropagation();
      if (event.key === 'Escape') this.back(branch);
      else if (event.key === 'Enter' && event.target instanceof HTMLInputElement) then();
      else return;
      event.preventDefault();
    });
    return form;
  }

  /** @param {Branch} branch */
  back(branch) {
    this.toggle('', '');
    this.update(this.ctx.state);
    const row = [...this.list.children].find(each => /** @type {HTMLElement} */ (each).dataset.branch === branch.id);
    row?.querySelector('button')?.focus();
  }

  /** @param {Comparison} comparison */
  showComparison(comparison) {
    this.waits = false;
    const names = new Map(this.branches.map(each => [each.id, nameOf(each)]));
    const close = button('Close', () => this.compared.replaceChildren());
    this.compared.replaceChildren(
      el('div', { class: 'rlm-compared-head' }, el('h4', {}, 'Compared'), close),
      sides(side(comparison.a, names), side(comparison.b, names)),
      el('h4', {}, 'Answers'),
      diffTable(comparison.a.answer, comparison.b.answer),
      el('h4', {}, 'Cells'),
      ...comparison.turns.map(pair => turnPair(pair))
    );
    this.compared.scrollIntoView({ block: 'nearest' });
  }

  destroy() {
    for (const each of this.undo) each();
    this.element.remove();
  }
}

/** @param {Branch} branch */
function nameOf(branch) {
  if (branch.named && branch.name) return line(branch.name, 80);
  return branch.of === null ? 'Trunk' : line(branch.name || editWords(branch.edit), 80);
}

/** @param {...HTMLElement} two */
function sides(...two) {
  return el('div', { class: 'rlm-sides' }, ...two);
}

/** @param {Side} one @param {Map<string, string>} names */
function side(one, names) {
  const facts = [statusWord(one.outcome ?? 'running'), count(one.turns, 'turn'), line(one.model ?? '', 60)].filter(
    Boolean
  );
  const box = el(
    'div',
    { class: 'rlm-one-side' },
    el('b', {}, names.get(one.id) ?? line(one.question, 60)),
    el('p', { class: 'rlm-facts' }, facts.join(' · ')),
    el('p', { class: 'rlm-facts' }, usageLine(one.usage))
  );
  if (one.error) box.append(el('p', { class: 'rlm-error' }, clean(one.error.slice(0, 2000))));
  return box;
}

/** Two texts by lines: what is only in the first has a minus, what is only in the second a plus.
 * @param {string} before @param {string} after */
function diffTable(before, after) {
  const rows = lineDiff(before.slice(0, 200_000), after.slice(0, 200_000));
  const words = { '=': '', '-': 'only in the first: ', '+': 'only in the second: ' };
  const box = el('div', { class: 'rlm-diff', role: 'group', 'aria-label': 'Differences', tabindex: '0' });
  if (before === after) box.append(el('p', { class: 'rlm-help' }, 'The same in both.'));
  for (const row of rows.slice(0, 1000)) {
    const text = el('span', { class: 'rlm-diff-text', dir: 'auto' });
    addText(text, row.text.slice(0, 20_000));
    box.append(
      el(
        'div',
        { class: 'rlm-diff-line', data: { sign: row.sign } },
        el(
          'span',
          { class: 'rlm-diff-sign', 'aria-hidden': 'true' },
          row.sign === '=' ? ' ' : row.sign === '-' ? '−' : '+'
        ),
        words[row.sign] ? el('span', { class: 'rlm-unseen' }, words[row.sign]) : null,
        text
      )
    );
  }
  if (rows.length > 1000)
    box.append(el('p', { class: 'rlm-help' }, `${count(rows.length - 1000, 'more line')} not shown`));
  return box;
}

/** @param {TurnPair} pair */
function turnPair(pair) {
  const word = pair.same ? 'same' : pair.a && pair.b ? 'differs' : pair.a ? 'only in the first' : 'only in the second';
  const details = el(
    'details',
    { class: 'rlm-turn-pair', data: { same: String(pair.same) }, open: !pair.same },
    el('summary', {}, `Turn ${pair.turn} `, el('span', { class: 'rlm-badge' }, pair.same ? '= same' : `≠ ${word}`))
  );
  const fill = () => {
    if (!details.open || details.children.length > 1) return;
    const [a, b] = pair.a && pair.b ? changedLines(pair.a.code, pair.b.code) : [new Map(), new Map()];
    details.append(sides(turnSide(pair.a, a), turnSide(pair.b, b)));
    if (pair.a?.output || pair.b?.output) {
      details.append(el('p', { class: 'rlm-help' }, 'Output'), diffTable(pair.a?.output ?? '', pair.b?.output ?? ''));
    }
  };
  details.addEventListener('toggle', fill);
  fill();
  return details;
}

/** Which lines of two cells the other one does not have. @param {string} before @param {string} after */
function changedLines(before, after) {
  /** @type {[Map<number, string>, Map<number, string>]} */
  const changed = [new Map(), new Map()];
  const at = [1, 1];
  for (const { sign } of lineDiff(before, after)) {
    if (sign === '-') changed[0].set(at[0], 'Only in the first');
    if (sign === '+') changed[1].set(at[1], 'Only in the second');
    if (sign !== '+') at[0] += 1;
    if (sign !== '-') at[1] += 1;
  }
  return changed;
}

/** @param {TurnSide | null} turn @param {Map<number, string>} changed */
function turnSide(turn, changed) {
  if (!turn) return el('div', { class: 'rlm-one-side rlm-none' }, el('p', { class: 'rlm-help' }, 'no such turn'));
  const box = el('div', { class: 'rlm-one-side' }, el('p', { class: 'rlm-facts' }, usageLine(turn.cost)));
  if (turn.code) box.append(codeBlock(turn.code.slice(0, 20_000), changed));
  return box;
}
