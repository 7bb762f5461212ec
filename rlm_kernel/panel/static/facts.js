// @ts-check
/**
 * What rows say: whether they are over, what a batch of them comes to. Pure.
 *
 * @typedef {import('./generated').NodeSummary} Row
 * @typedef {import('./generated').UsageDict} Usage
 * @typedef {import('./generated').PackedRows} PackedRows
 * @typedef {{key: string, parent: string | null, batch: string | null, ids: string[]}} Group
 *   Siblings that stand together: the calls of one batch, or one node.
 * @typedef {{key: string, label: string, kind: string, status: string, word: string, model: string, usage: Usage,
 *            started: number | null, ended: number | null, cached: boolean, error: string | null, done: number,
 *            failed: number, size: number, common: number}} BatchFacts
 *   `common`: characters with which all labels begin.
 */

import { addUsage, count, noUsage } from './format.js';

const FINAL = new Set(['done', 'failed', 'stopped']);

/** Whether a node has come to its end. @param {{status: string}} row */
export function isFinal(row) {
  return FINAL.has(row.status);
}

/** A turn is done when its cell has run; that the cell failed is said all the same. @param {Row} row */
export function hasFailed(row) {
  return row.status === 'failed' || (row.kind === 'turn' && row.status === 'done' && !!row.error);
}

/** @param {PackedRows} packed @returns {Row[]} */
export function unpack(packed) {
  const { keys, usage_keys: names, rows } = packed;
  /** @param {any} values */
  const usage = values => Object.fromEntries(names.map((name, at) => [name, values[at]]));
  return rows.map(values => {
    /** @type {any} */
    const row = {};
    keys.forEach((key, at) => (row[key] = values[at]));
    row.usage = usage(row.usage);
    row.total = row.total === null ? row.usage : usage(row.total);
    return row;
  });
}

/** The key of the line of a node's batch. @param {Row} row */
export function batchKey(row) {
  return `batch:${row.parent_id ?? ''}:${row.batch}`;
}

/** How many characters of their first words texts that are not all the same have in common. @param {string[]} texts */
export function commonStart(texts) {
  if (texts.length < 2) return 0;
  let length = texts[0].length;
  for (const text of texts) {
    let same = 0;
    while (same < length && text[same] === texts[0][same]) same++;
    length = same;
  }
  if (texts.every(text => text === texts[0])) return 0;
  return texts[0].slice(0, length).lastIndexOf(' ') + 1;
}

/** @param {Group} group @param {Row[]} calls @returns {BatchFacts} */
export function sumBatch(group, calls) {
  const usage = noUsage();
  const models = new Set();
  let done = 0;
  let failed = 0;
  let begun = false;
  let cached = true;
  /** @type {number | null} */
  let started = null;
  /** @type {number | null} */
  let ended = null;
  for (const row of calls) {
    addUsage(usage, row.total);
    models.add(row.model ?? '');
    if (isFinal(row)) done++;
    if (row.status === 'failed') failed++;
    begun ||= row.status !== 'pending';
    cached &&= row.cached;
    if (row.started !== null) started = started === null ? row.started : Math.min(started, row.started);
    if (row.ended !== null) ended = ended === null ? row.ended : Math.max(ended, row.ended);
  }
  const all = done === calls.length;
  const word = calls[0]?.kind === 'run' ? 'child run' : 'call';
  const size = calls.length.toLocaleString('en');
  return {
    key: group.key,
    label: `${count(calls.length, word)}: ${calls[0]?.label ?? ''}`,
    kind: calls[0]?.kind ?? 'call',
    status: all ? (failed ? 'failed' : 'done') : begun ? 'running' : 'pending',
    word: all ? (failed ? 'failed' : 'done') : `${done.toLocaleString('en')}/${size}`,
    model: models.size === 1 ? [...models][0] : `${models.size} models`,
    usage,
    started,
    ended: all ? ended : null,
    cached,
    error: failed ? `${count(failed, word)} of ${size} failed.` : null,
    done,
    failed,
    size: calls.length,
    common: commonStart(calls.map(row => row.label))
  };
}
