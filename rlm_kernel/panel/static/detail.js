// @ts-check
/**
 * Everything about the chosen node, and the buttons that change it and run again.
 *
 * @typedef {import('./store').Row} Row
 * @typedef {import('./store').Store} StoreType
 * @typedef {import('./store').Texts} Texts
 * @typedef {import('./generated').TextPart} TextPart
 * @typedef {import('./panel').Ctx} Ctx
 * @typedef {import('./panel').PanelView} PanelView
 */

import { Actions } from './actions.js';
import { button, el, put } from './dom.js';
import { editWords } from './edit.js';
import { clean, count, duration, line, statusWord, turnNumber, usageLine } from './format.js';
import { Attempts, Code, Messages, Plain, Section, UsageTable } from './parts.js';
import { Citations } from './passage.js';

/** @type {Record<string, Record<string, string>>} */
const PART_TITLES = {
  run: { prompt: 'Question', reply: 'Answer', code: 'Code', output: 'Output' },
  turn: { prompt: 'Prompt', reply: 'Reply', code: 'Code', output: 'Output' },
  call: { prompt: 'Prompt', reply: 'Reply', code: 'Code', output: 'Output' }
};
const HINT = 'Choose a line of the tree to see what was asked and answered, and to change it.';

/** @param {HTMLElement} host @param {Ctx} ctx @returns {PanelView} */
export function detailView(host, ctx) {
  const hint = el('p', { class: 'rlm-empty-view' }, HINT);
  host.append(hint);
  /** @type {NodeDetail | BatchDetail | null} */
  let shown = null;
  return {
    update(state) {
      if (shown?.key !== state.chosen || (shown instanceof NodeDetail && !state.node)) {
        shown?.destroy();
        shown = null;
        const group = state.chosen === null ? undefined : state.batches.get(state.chosen);
        if (state.node) shown = new NodeDetail(ctx, state.node);
        else if (group) shown = new BatchDetail(ctx, group.key);
        if (shown) host.append(shown.element);
        host.scrollTop = 0;
      }
      hint.hidden = shown !== null;
      shown?.update(state);
    },
    destroy() {
      shown?.destroy();
      hint.remove();
    }
  };
}

/** The calls of one batch together: what they have cost, and which have failed. */
class BatchDetail {
  /** @param {Ctx} ctx @param {string} key */
  constructor(ctx, key) {
    this.ctx = ctx;
    this.key = key;
    this.title = el('h3', { class: 'rlm-title' });
    this.facts = el('p', { class: 'rlm-facts' });
    this.failures = el('ul', { class: 'rlm-failed-list' });
    this.more = el('li', { hidden: true });
    this.element = el('div', { class: 'rlm-detail' }, this.title, this.facts, this.failures);
    this.drawn = '';
  }

  /** @param {StoreType} state */
  update(state) {
    const group = state.batches.get(this.key);
    if (!group) return;
    const facts = state.batchFacts(group);
    put(this.title, line(facts.label, 160));
    const words = [facts.word, line(facts.model, 60), usageLine(facts.usage), duration(state.elapsed(facts))];
    put(this.facts, words.filter(Boolean).join(' · '));
    const failed = group.ids.filter(id => state.failed.has(id));
    const first = failed.slice(0, 20);
    const drawn = first.join();
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.failures.replaceChildren(...first.map(id => this.failure(state.rows.get(id), id)), this.more);
    }
    this.more.hidden = failed.length <= first.length;
    put(this.more, `and ${count(failed.length - first.length, 'more failure')}`);
  }

  /** @param {Row | undefined} row @param {string} id */
  failure(row, id) {
    const open = button(line(row?.label ?? '', 80), () => this.ctx.choose(id, { reveal: true }), { class: 'rlm-link' });
    return el('li', {}, open, ` ${line(row?.error ?? '', 160)}`);
  }

  destroy() {
    this.element.remove();
  }
}

/** One node. Lives as long as it is chosen. */
class NodeDetail {
  /** @param {Ctx} ctx @param {Row} row */
  constructor(ctx, row) {
    this.ctx = ctx;
    this.key = row.id;
    this.row = row;
    /** @type {Texts | null} */
    this.texts = null;
    this.title = el('h3', { class: 'rlm-title' });
    this.facts = el('p', { class: 'rlm-facts' });
    this.notes = el('div', { class: 'rlm-notes' });
    this.where = el('div', { class: 'rlm-where' });
    this.actions = new Actions(this);
    this.error = el('div', { class: 'rlm-error', role: 'note', hidden: true });
    this.sections = el('div', { class: 'rlm-sections' });
    this.element = el(
      'div',
      { class: 'rlm-detail', data: { kind: row.kind } },
      this.title,
      this.facts,
      this.notes,
      this.where,
      this.actions.element,
      this.error,
      this.sections
    );
    this.parts = this.makeParts();
    this.sections.append(...Object.values(this.parts).map(part => part.element));
    this.begun = false;
    /** Parts that are to be fetched whole. @type {Set<TextPart>} */
    this.wanted = new Set();
    /** How much of a part there was when more was asked for. @type {Map<TextPart, number>} */
    this.askedAt = new Map();
    /** @type {Array<{part: TextPart, then: (text: string) => void}>} */
    this.waiters = [];
    /** Whether something was asked of the notebook whose failure is to be told. */
    this.asking = false;
    this.off = ctx.on('problem', /** @param {any} message */ message => this.takeProblem(message));
    this.drawnWhere = '';
    this.drawnNotes = '';
  }

  /** @param {StoreType} state */
  update(state) {
    const row = state.node;
    if (!row) return;
    this.row = row;
    this.texts = state.texts;
    const number = row.kind === 'turn' ? ` ${turnNumber(row)}` : '';
    const kind =
      row.kind === 'run' && row.parent_id === null ? 'question' : row.kind === 'run' ? 'child run' : row.kind;
    put(this.title, `${kind}${number}: ${line(row.label, 160)}`);
    put(this.facts, factsLine(state, row));
    this.drawNotes(state, row);
    this.drawWhere(row, state);
    this.actions.update(state);
    const error = this.texts?.error ?? row.error;
    const remedy = this.texts?.error ? this.texts.remedy : '';
    this.error.hidden = !error;
    put(this.error, error ? clean(`${error.slice(0, 20_000)} ${remedy}`.trim()) : '');
    if (this.texts) this.drawParts(row, this.texts);
    this.fetch();
  }

  /** Make the parts, in the order in which they stand; one without anything to show stays hidden. */
  makeParts() {
    const titles = PART_TITLES[this.row.kind];
    /** @param {TextPart} part */
    const text = part => {
      const body = part === 'code' ? new Code(() => this.want(part)) : new Plain(() => this.want(part));
      return new Section(this.ctx, part, titles[part], body, () => this.whole(part));
    };
    return {
      messages: new Section(this.ctx, 'messages', 'Prompt', new Messages(), null),
      prompt: text('prompt'),
      reply: text('reply'),
      citations: new Section(this.ctx, 'citations', 'Citations', new Citations(this.ctx, this.row.id), null),
      code: text('code'),
      output: text('output'),
      told: new Section(this.ctx, 'told', 'Told after this turn', new Plain(), null),
      attempts: new Section(this.ctx, 'attempts', 'Attempts', new Attempts(), null),
      usage: new Section(this.ctx, 'usage', 'Usage', new UsageTable(), null)
    };
  }

  /** @param {Row} row @param {Texts} texts */
  drawParts(row, texts) {
    const { parts } = this;
    const grows = row.status === 'running' || row.status === 'paused';
    const many = texts.messages.length > 1;
    parts.told.set(toldText(texts.details['told']));
    parts.messages.set(many ? texts.messages : []);
    /** @param {Exclude<TextPart, 'error'>} part @param {string} text @param {boolean} live */
    const fill = (part, text, live) => parts[part].set(text, texts.sizes[part] ?? text.length, live);
    fill('prompt', many ? '' : texts.prompt || (texts.messages[0]?.content ?? ''), false);
    fill('reply', texts.reply, grows);
    fill('code', texts.code, false);
    fill('output', texts.output, grows);
    parts.citations.set(texts.citations);
    parts.attempts.set(texts.attempts);
    parts.usage.set(row);
    if (!this.begun) {
      this.begun = true;
      parts.reply.details.open = grows || !texts.code; // the code is the better part of what a turn's model wrote
    }
  }

  // ---- long texts that come in pieces ------------------------------------------------------------------------

  /** @param {TextPart} part */
  missing(part) {
    const texts = this.texts;
    return !texts || (texts.sizes[part] ?? 0) > (texts[part] ?? '').length;
  }

  /** Fetch a part whole. @param {TextPart} part */
  want(part) {
    this.wanted.add(part);
    this.fetch();
  }

  /** @param {TextPart} part @returns {string | Promise<string>} */
  whole(part) {
    if (!this.missing(part)) return this.texts?.[part] ?? '';
    this.want(part);
    return new Promise(then => this.waiters.push({ part, then }));
  }

  fetch() {
    for (const part of this.wanted) {
      if (!this.texts || !this.missing(part)) continue;
      const known = (this.texts[part] ?? '').length;
      if (this.askedAt.get(part) === known) continue;
      this.askedAt.set(part, known);
      this.ctx.send({ kind: 'piece', id: this.key, part, pos: known });
    }
    const ready = this.waiters.filter(each => !this.missing(each.part));
    this.waiters = this.waiters.filter(each => !ready.includes(each));
    for (const each of ready) each.then(this.texts?.[each.part] ?? '');
  }

  // ---- words -------------------------------------------------------------------------------------------------

  /** @param {StoreType} state @param {Row} row */
  drawNotes(state, row) {
    const notes = noteTexts(row);
    const branch = row.branch;
    const drawn = JSON.stringify([notes, branch, state.rows.has(branch?.at ?? '')]);
    if (drawn === this.drawnNotes) return;
    this.drawnNotes = drawn;
    this.notes.replaceChildren(...notes.map(text => el('p', { class: 'rlm-note' }, text)));
    if (branch) this.notes.append(this.branchNote(state, branch));
  }

  /** @param {StoreType} state @param {any} branch */
  branchNote(state, branch) {
    const note = el(
      'p',
      { class: 'rlm-note' },
      `A branch${branch.name ? ` “${line(branch.name, 60)}”` : ''}: ${editWords(branch.edit)}. `
    );
    const at = state.rows.get(branch.at);
    if (at)
      note.append(
        button('Where it began', () => this.ctx.choose(at.id, { reveal: true }), { class: 'rlm-link' }),
        ' '
      );
    note.append(button('All branches', () => this.ctx.show('branches', true), { class: 'rlm-link' }));
    return note;
  }

  /** @param {Row} row @param {StoreType} state */
  drawWhere(row, state) {
    const where = this.texts?.where ?? null;
    const above = state.ancestors(row.id);
    // The cells of a child run stand in no notebook: what can be shown is the cell that began it.
    const child = above.findIndex(each => each.kind === 'run' && each.parent_id !== null);
    const cell =
      child >= 0
        ? (above[above.length - 2]?.cell_id ?? null)
        : (where?.cell_id ?? (row.kind === 'call' ? null : row.cell_id));
    const own = row.kind === 'turn' ? 'Show the cell' : 'Show the question’s cell';
    const made = where ? whereText(where) : '';
    const words = child >= 0 ? 'Show the cell that began the child run' : made || own;
    const drawn = `${cell}|${child}|${made}`;
    if (drawn === this.drawnWhere) return;
    this.drawnWhere = drawn;
    this.where.replaceChildren();
    if (child >= 0 && made) this.where.append(made, ' of the child. ');
    if (cell) this.where.append(button(words, () => this.jump(cell), { class: 'rlm-link' }));
    else if (made) this.where.append(made);
  }

  /** Show a cell of the notebook. @param {string} cell */
  jump(cell) {
    this.asking = true;
    this.ctx.send({ kind: 'jump', cell_id: cell });
  }

  /** @param {import('./generated').ProblemMessage} problem */
  takeProblem(problem) {
    if (!this.asking || problem.about !== null) return;
    this.asking = false;
    this.ctx.say(clean(`${problem.text} ${problem.remedy}`.trim()));
  }

  destroy() {
    this.off();
    this.actions.close();
    this.element.remove();
  }
}

/** @param {StoreType} state @param {Row} row */
function factsLine(state, row) {
  const word = row.outcome ?? (row.status === 'done' && row.error ? 'error' : row.status);
  const usage = row.kind === 'call' ? row.usage : row.total;
  const parts = [
    statusWord(word),
    row.model ? line(row.model, 60) : '',
    usageLine(usage),
    duration(state.elapsed(row))
  ];
  return parts.filter(Boolean).join(' · ');
}

/** What being cached, kept or stale means, for people. @param {Row} row */
function noteTexts(row) {
  const notes = [];
  const kept = row.kept;
  if (kept && row.kind === 'turn')
    notes.push('Kept from the run this one came of: not asked again, its cell was not run for it, nothing was paid.');
  else if (kept) notes.push('Kept from the run this one came of: its reply was taken over, nothing was paid.');
  else if (row.cached)
    notes.push(
      'Cached: the same was asked before, so the reply came from the store; nothing was sent, nothing was paid.'
    );
  if (row.stale) {
    notes.push(
      'Stale: a cell above it was changed since, so what stands here may no longer follow from what is above.'
    );
  }
  return notes;
}

/** What the model was told beside the output of its cell. @param {unknown} told */
function toldText(told) {
  const all = Array.isArray(told) ? told : told ? [told] : [];
  return all.map(each => (typeof each === 'string' ? each : JSON.stringify(each))).join('\n\n');
}

/** @param {import('./generated').WhereDict} where */
function whereText(where) {
  const place =
    where.count > 1 ? `call ${where.index.toLocaleString('en')} of ${where.count.toLocaleString('en')} of ` : '';
  return `Made by ${place}line ${where.line} of the cell`;
}
