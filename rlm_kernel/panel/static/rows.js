// @ts-check
/**
 * One line of the tree: what it says, and its elements.
 *
 * @typedef {import('./store').Store} Store
 * @typedef {import('./outline').Item} Item
 * @typedef {import('./facts').Row} Row
 * @typedef {import('./facts').Group} Group
 * @typedef {import('./facts').Usage} Usage
 * @typedef {{key: string, kind: string, icon: string, status: string, label: string, word: string, model: string,
 *            usage: Usage, own: Usage | null, time: string, error: string | null, progress: number | null,
 *            marks: string[], failed: boolean, share: number, shown?: string}} Fact
 *   `shown`: what stands in the line in place of the label.
 */

import { el, mark, put } from './dom.js';
import { compact, duration, line, money, statusWord, turnNumber, usageLine } from './format.js';
import { hasFailed } from './facts.js';

/** Characters that all calls of a batch begin with before they are left out. */
const COMMON = 12;
export const COLUMNS = ['name', 'status', 'model', 'in', 'cached', 'out', 'cost', 'time'];
/** @type {Record<string, string>} */
const GLYPHS = { pending: '○', running: '◐', paused: '‖', done: '✓', failed: '✕', stopped: '■' };

/** What a line says; null: its node is gone. @param {Store} store @param {Item} item @returns {Fact | null} */
export function factOf(store, item) {
  if (item.group) return batchFact(store, item.group);
  const row = store.rows.get(item.key);
  if (!row) return null;
  const fact = nodeFact(store, row);
  const batch = store.batches.get(item.parent ?? '');
  const common = batch ? store.batchFacts(batch).common : 0;
  if (common >= COMMON) fact.shown = `… ${line(row.label.slice(common))}`;
  return fact;
}

/** @param {Store} store @param {Row} row @returns {Fact} */
function nodeFact(store, row) {
  const failed = hasFailed(row);
  const marks = [];
  if (row.branch) marks.push(row.branch.name ? `branch ${line(row.branch.name, 40)}` : 'branch');
  if (row.continues) marks.push('goes on');
  if (row.kept) marks.push('kept');
  else if (row.cached) marks.push('cached');
  if (row.stale) marks.push('stale');
  const icons = { run: row.parent_id === null ? '?' : '⤷', turn: String(turnNumber(row)), call: '↳' };
  return {
    key: row.id,
    kind: row.parent_id !== null && row.kind === 'run' ? 'child' : row.kind,
    icon: icons[row.kind],
    status: row.status,
    label: line(row.label) || (row.kind === 'turn' ? 'turn' : row.kind),
    word: statusWord(row.outcome ?? (failed ? 'error' : row.status)),
    model: line(row.model ?? '', 80),
    usage: row.total,
    own: row.total.calls > row.usage.calls && row.usage.calls > 0 ? row.usage : null,
    time: duration(store.elapsed(row)),
    error: row.error,
    progress: null,
    marks,
    failed,
    share: row.parent_id === null ? 0 : store.share(row.id, row.total)
  };
}

/** @param {Store} store @param {Group} group @returns {Fact} */
function batchFact(store, group) {
  const facts = store.batchFacts(group);
  const left = timeLeft(store, facts);
  const marks = facts.cached ? ['cached'] : [];
  if (left !== null) marks.push(`${duration(left)} left`);
  if (facts.failed) marks.push(`✕ ${facts.failed.toLocaleString('en')}`);
  return {
    key: group.key,
    kind: 'batch',
    icon: '≡',
    status: facts.status,
    label: line(facts.label),
    word: facts.word,
    model: line(facts.model, 80),
    usage: facts.usage,
    own: null,
    time: duration(store.elapsed(facts)),
    error: facts.error,
    progress: facts.done / facts.size,
    marks,
    failed: facts.failed > 0,
    share: store.share(group.ids[0], facts.usage)
  };
}

/** Seconds a batch will still take if it goes on as it went; null: not known. @param {Store} store
 * @param {import('./facts').BatchFacts} facts */
function timeLeft(store, facts) {
  const taken = store.elapsed(facts);
  if (taken === null || facts.ended !== null || facts.done < 3 || facts.done === facts.size) return null;
  return (taken / facts.done) * (facts.size - facts.done);
}

/** An empty line. */
export function makeRow() {
  const element = el('div', { class: 'rlm-row', role: 'treeitem' });
  for (const name of ['twisty', 'kind', 'mark']) {
    element.append(el('span', { class: `rlm-${name}`, 'aria-hidden': 'true' }));
  }
  for (const name of COLUMNS) element.append(el('span', { class: `rlm-${name}` }));
  const name = /** @type {HTMLElement} */ (element.querySelector('.rlm-name'));
  name.append(el('span', { class: 'rlm-label' }), el('span', { class: 'rlm-marks' }));
  element.append(el('span', { class: 'rlm-share', 'aria-hidden': 'true' }));
  return element;
}

/** @param {HTMLElement} element @param {Item} item @param {Fact} fact @param {boolean} chosen */
export function fillRow(element, item, fact, chosen) {
  const { usage } = fact;
  const spent = usage.calls > 0 || usage.input_tokens > 0 || usage.output_tokens > 0;
  const about = usage.estimated ? '~' : '';
  mark(element, 'data-kind', fact.kind);
  mark(element, 'data-status', fact.status);
  mark(element, 'data-failed', fact.failed ? '' : null);
  mark(element, 'data-match', item.match ? '' : null);
  mark(element, 'aria-level', String(item.level));
  mark(element, 'aria-posinset', String(item.pos));
  mark(element, 'aria-setsize', String(item.size));
  mark(element, 'aria-selected', String(chosen));
  mark(element, 'aria-expanded', item.open === null ? null : String(item.open));
  setVariables(element, item, fact);
  const [twisty, kind, glyph, name, ...cells] = element.children;
  put(twisty, item.open === null ? '' : item.open ? '▾' : '▸');
  put(kind, fact.icon);
  put(glyph, fact.failed ? GLYPHS.failed : (GLYPHS[fact.status] ?? ''));
  put(name.children[0], fact.shown ?? fact.label);
  fillMarks(/** @type {HTMLElement} */ (name.children[1]), fact.marks);
  const texts = [
    fact.word,
    fact.model,
    spent ? about + compact(usage.input_tokens) : '',
    spent && usage.cached_tokens ? compact(usage.cached_tokens) : '',
    spent ? about + compact(usage.output_tokens) : '',
    spent ? (usage.cost_usd === null ? '?' : money(usage.cost_usd)) : '',
    fact.time
  ];
  texts.forEach((text, at) => put(cells[at], text));
  const own = fact.own ? `; itself ${usageLine(fact.own)}` : '';
  const said = [
    `${fact.kind}: ${fact.label}`,
    fact.word,
    ...fact.marks,
    spent ? usageLine(usage) + own : '',
    fact.time
  ];
  mark(element, 'aria-label', said.filter(Boolean).join('; '));
  mark(element, 'title', titleOf(fact, spent, own));
}

/** @param {Fact} fact @param {boolean} spent @param {string} own */
function titleOf(fact, spent, own) {
  const shares = fact.share ? `${(fact.share * 100).toFixed(fact.share < 0.1 ? 1 : 0)}% of the question's cost` : '';
  const parts = [line(fact.error ?? '', 400) || fact.label, spent ? usageLine(fact.usage) + own : '', shares];
  return parts.filter(Boolean).join('\n');
}

/** @param {HTMLElement} element @param {Item} item @param {Fact} fact */
function setVariables(element, item, fact) {
  const level = String(item.level - 1);
  const style = element.style;
  if (style.getPropertyValue('--rlm-level') !== level) style.setProperty('--rlm-level', level);
  const progress = fact.progress === null ? '0' : fact.progress.toFixed(3);
  if (style.getPropertyValue('--rlm-progress') !== progress) style.setProperty('--rlm-progress', progress);
  const share = fact.share.toFixed(3);
  if (style.getPropertyValue('--rlm-part') !== share) style.setProperty('--rlm-part', share);
}

/** @param {HTMLElement} host @param {string[]} marks */
function fillMarks(host, marks) {
  if (host.dataset.marks === marks.join('|')) return;
  host.dataset.marks = marks.join('|');
  host.replaceChildren(
    ...marks.map(text => el('span', { class: 'rlm-badge', data: { mark: text.split(' ')[0] } }, text))
  );
}
