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

/** @param {Iterable<Usage>} usages */
export function sumUsage(usages) {
  const all = noUsage();
  for (const usage of usages) addUsage(all, usage);
  return all;
}

// Escape sequences of a terminal: colours and cursor moves (CSI), titles and links (OSC), and the short ones.
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[@-Z\\^_])/g;
// Controls that cannot be seen, and those that turn the direction of what follows.
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Make a stranger's text fit to be looked at: without a terminal's escape sequences, and with every character that
 * hides, or turns the direction of what follows, written as what it is.
 *
 * @param {string} text
 */
export function clean(text) {
  return text.replace(ANSI, '').replace(UNSEEN, seen);
}

/** @param {string} character */
function seen(character) {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code); // the signs of the controls
  if (code === 0x7f) return '\u2421';
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
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
