// @ts-check
/**
 * Words and figures for people, and what makes a stranger's text safe to look at.
 *
 * @typedef {import('./generated').UsageDict} Usage
 */

/** @param {number} number @param {string} word */
export function count(number, word) {
  return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`;
}

/** @param {number | null} cost US dollars; null: unknown */
export function money(cost) {
  if (cost === null) return 'cost unknown';
  if (cost === 0) return 'free';
  return `$${cost.toFixed(cost >= 1 ? 2 : 4)}`;
}

/** @param {number | null} seconds */
export function duration(seconds) {
  if (seconds === null) return '';
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, '0')} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, '0')} min`;
}

/** Write a number in at most five characters: 950, 12.3k, 1.2M. @param {number} number */
export function compact(number) {
  if (number < 10_000) return number.toLocaleString('en');
  if (number < 1_000_000) return `${(number / 1000).toFixed(number < 100_000 ? 1 : 0)}k`;
  return `${(number / 1_000_000).toFixed(number < 100_000_000 ? 1 : 0)}M`;
}

/** @param {Usage} usage */
export function usageLine(usage) {
  const cached = usage.cached_tokens ? ` (${usage.cached_tokens.toLocaleString('en')} cached)` : '';
  const about = usage.estimated ? '~' : '';
  const tokens = `${about}${usage.input_tokens.toLocaleString('en')} in${cached} · `;
  return `${count(usage.calls, 'call')} · ${tokens}${usage.output_tokens.toLocaleString('en')} out · ${money(usage.cost_usd)}`;
}

/** @returns {Usage} */
export function noUsage() {
  return {
    input_tokens: 0,
    cached_tokens: 0,
    output_tokens: 0,
    calls: 0,
    cost_usd: 0,
    seconds: 0,
    estimated: false
  };
}

/** Add one usage to a sum; an unknown cost stays unknown. @param {Usage} all @param {Usage} usage */
export function addUsage(all, usage) {
  all.input_tokens += usage.input_tokens;
  all.cached_tokens += usage.cached_tokens;
  all.output_tokens += usage.output_tokens;
  all.calls += usage.calls;
  all.cost_usd = all.cost_usd === null || usage.cost_usd === null ? null : all.cost_usd + usage.cost_usd;
  all.seconds += usage.seconds;
  all.estimated ||= usage.estimated;
}

/** The number of a turn, as its id has it: those of a run that goes on with another are counted on. @param {{id: string}} turn */
export function turnNumber(turn) {
  return Number(turn.id.slice(turn.id.lastIndexOf('/') + 2));
}

/** @param {Iterable<Usage>} usages */
export function sumUsage(usages) {
  const all = noUsage();
  for (const usage of usages) addUsage(all, usage);
  return all;
}

/**
 * What must not reach a person's eyes as it is: escape sequences of a terminal (colours, cursor moves, titles, links),
 * controls, characters of no width, and those that turn the direction of what follows.
 */
export const ODD =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\^_])|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** What stands for an odd character; nothing for an escape sequence. @param {string} odd */
export function oddName(odd) {
  if (odd === '\r' || (odd.length > 1 && odd.startsWith('\x1b'))) return '';
  const point = /** @type {number} */ (odd.codePointAt(0));
  if (point < 0x20) return String.fromCodePoint(0x2400 + point); // the signs of the controls
  if (point === 0x7f) return '␡';
  return `⟨U+${point.toString(16).toUpperCase().padStart(4, '0')}⟩`;
}

/**
 * Make a stranger's text fit to be looked at: without a terminal's escape sequences, and with every character that
 * hides, or turns the direction of what follows, written as what it is.
 *
 * @param {string} text
 */
export function clean(text) {
  return text.replace(ODD, oddName);
}

/** The same in one line, for a row or a title. @param {string} text @param {number} [width] */
export function line(text, width = 200) {
  const short = text.length > width * 4 ? text.slice(0, width * 4) : text;
  const all = clean(short.replace(/\s+/g, ' ').trim());
  return all.length > width || short.length < text.length ? `${all.slice(0, width - 1)}…` : all;
}

/** What a status or outcome is called. @type {Record<string, string>} */
const WORDS = {
  pending: 'waiting',
  running: 'running',
  paused: 'paused',
  done: 'done',
  failed: 'failed',
  stopped: 'stopped',
  answered: 'answered',
  limit: 'limit reached',
  error: 'error'
};

/** @param {string} status */
export function statusWord(status) {
  return WORDS[status] ?? status;
}
