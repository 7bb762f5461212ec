// @ts-check
/**
 * Python as the panel shows it: coloured, with line numbers, with odd characters made visible.
 *
 * Everything is set as text. Characters that would change the order of what is shown, or hide something, stand as
 * their name: a cell that a person is to approve must not read otherwise than it runs.
 */
import { ODD, clean, oddName } from './format.js';

const CODE_MOST = 200_000; // characters; beyond them text is shown without colours
const PIECE = 4_000; // characters of one line that are laid out as one piece

const KEYWORDS = new Set(
  (
    'False None True and as assert async await break case class continue def del elif else except finally for from ' +
    'global if import in is lambda match nonlocal not or pass raise return try while with yield'
  ).split(' ')
);
const BUILTINS = new Set(
  (
    'abs all any bool bytes callable chr dict dir divmod enumerate eval exec filter float format frozenset getattr ' +
    'globals hasattr hash help hex id input int isinstance issubclass iter len list locals map max min next object ' +
    'open ord pow print property range repr reversed round set setattr slice sorted str sum super tuple type vars ' +
    'zip self cls'
  ).split(' ')
);
const OURS = new Set(
  'llm_query llm_query_batched rlm_query rlm_query_batched context history answer FINAL FINAL_VAR'.split(' ')
);

/**
 * Add a text, with its odd characters as marked names.
 * @param {Element} host
 * @param {string} text
 */
export function addText(host, text) {
  let from = 0;
  for (const found of text.matchAll(ODD)) {
    if (found.index > from) host.append(text.slice(from, found.index));
    from = found.index + found[0].length;
    const name = oddName(found[0]);
    if (!name) continue;
    const mark = document.createElement('span');
    mark.className = 'rlm-odd';
    mark.title = 'A character that is not to be seen, or that turns the order of the text';
    mark.textContent = name;
    host.append(mark);
  }
  if (from < text.length) host.append(text.slice(from));
}

/**
 * Split Python into pieces, each with its class ('' for plain text). Takes any text; the pieces make it up again.
 * @param {string} code
 * @returns {Array<[string, string]>}
 */
export function tokens(code) {
  /** @type {Array<[string, string]>} */
  const all = [];
  /** @param {string} name @param {number} end */
  const add = (name, end) => {
    const last = all[all.length - 1];
    if (last && last[0] === name) last[1] += code.slice(at, end);
    else all.push([name, code.slice(at, end)]);
    at = end;
  };
  let at = 0;
  let lineStart = true;
  while (at < code.length) {
    const char = code[at];
    if (char === '\n') {
      add('', at + 1);
      lineStart = true;
      continue;
    }
    if (char === ' ' || char === '\t') {
      add('', at + 1);
      continue;
    }
    const [name, end] = nextToken(code, at, lineStart);
    add(name, end);
    lineStart = false;
  }
  return all;
}

const NAME = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Nd}\p{Mn}\p{Mc}_]*/uy;
const NUMBER = /(?:0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)[jJ]?/y;

/** @param {string} code @param {number} at @param {boolean} lineStart @returns {[string, number]} */
function nextToken(code, at, lineStart) {
  const char = code[at];
  if (char === '#') return ['comment', lineEnd(code, at)];
  if (lineStart && (char === '!' || char === '%')) return ['shell', lineEnd(code, at)];
  if (lineStart && char === '@') return ['deco', at + 1];
  if (char === '"' || char === "'") return ['string', stringEnd(code, at)];
  if ((char >= '0' && char <= '9') || (char === '.' && /\d/.test(code[at + 1] ?? ''))) {
    return ['number', matchEnd(NUMBER, code, at)];
  }
  const end = matchEnd(NAME, code, at);
  if (end === at) return [/[\w\s.()[\]{},;:]/.test(char) ? '' : 'op', at + 1];
  const word = code.slice(at, end);
  if (end < code.length && '"\''.includes(code[end]) && /^[rbuft]{1,2}$/i.test(word)) {
    return ['string', stringEnd(code, end)];
  }
  if (code[at - 1] === '.') return ['', end];
  if (KEYWORDS.has(word)) return ['word', end];
  if (OURS.has(word)) return ['ours', end];
  return [BUILTINS.has(word) ? 'builtin' : '', end];
}

/** @param {RegExp} pattern @param {string} code @param {number} at */
function matchEnd(pattern, code, at) {
  pattern.lastIndex = at;
  return pattern.test(code) ? pattern.lastIndex : at;
}

/** @param {string} code @param {number} at */
function lineEnd(code, at) {
  const end = code.indexOf('\n', at);
  return end < 0 ? code.length : end;
}

/** The end of a string that begins at a quote; an unclosed one ends with its line, or with the text.
 * @param {string} code @param {number} at */
function stringEnd(code, at) {
  const quote = code[at];
  const triple = code.startsWith(quote.repeat(3), at);
  const close = triple ? quote.repeat(3) : quote;
  let to = at + close.length;
  while (to < code.length) {
    if (code[to] === '\\') to += 2;
    else if (code.startsWith(close, to)) return to + close.length;
    else if (!triple && code[to] === '\n') return to;
    else to += 1;
  }
  return code.length;
}

/**
 * Python with line numbers, as an element that scrolls.
 * @param {string} code
 * @param {Map<number, string>} [marked] lines (from 1) that stand out, with the reason
 * @param {number} [first] the number of the first line
 */
export function codeBlock(code, marked = new Map(), first = 1) {
  const pre = document.createElement('pre');
  pre.className = 'rlm-code';
  pre.tabIndex = 0;
  pre.dir = 'ltr';
  const digits = String(first + code.split('\n').length).length;
  pre.style.setProperty('--rlm-digits', String(digits));
  fillCode(pre, code, marked, first);
  return pre;
}

/** @param {Element} pre @param {string} code @param {Map<number, string>} marked @param {number} first */
function fillCode(pre, code, marked, first) {
  let number = first;
  let line = codeLine(number, marked);
  pre.append(line);
  for (const [name, text] of code.length > CODE_MOST ? [/** @type {[string, string]} */ (['', code])] : tokens(code)) {
    text.split('\n').forEach((part, index) => {
      if (index > 0) {
        line.append('\n');
        number += 1;
        line = codeLine(number, marked);
        pre.append(line);
      }
      addPieces(line, name, part);
    });
  }
}

/** @param {number} number @param {Map<number, string>} marked */
function codeLine(number, marked) {
  const line = document.createElement('span');
  line.className = 'rlm-line';
  line.dataset.line = String(number);
  const why = marked.get(number);
  if (why !== undefined) {
    line.classList.add('rlm-marked');
    line.title = clean(why);
  }
  return line;
}

/** @param {Element} line @param {string} name @param {string} text */
function addPieces(line, name, text) {
  for (let at = 0; at < text.length; at += PIECE) {
    const part = text.slice(at, at + PIECE);
    if (!name && text.length <= PIECE) {
      addText(line, part);
      continue;
    }
    const piece = document.createElement('span');
    piece.className = name ? `rlm-tk-${name}` : 'rlm-tk';
    addText(piece, part);
    line.append(piece);
  }
}

// ---- lines compared ------------------------------------------------------------------------------------------

const DIFF_MOST = 1_500; // lines of one side; the work grows with the product

/**
 * How one text becomes another, by lines: '=' in both, '-' only in the first, '+' only in the second.
 * @param {string} before
 * @param {string} after
 * @returns {Array<{sign: '=' | '-' | '+', text: string}>}
 */
export function lineDiff(before, after) {
  const a = before === '' ? [] : before.split('\n');
  const b = after === '' ? [] : after.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1;
  /** @param {'=' | '-' | '+'} sign @param {string[]} lines */
  const rows = (sign, lines) => lines.map(text => ({ sign, text }));
  return [
    ...rows('=', a.slice(0, head)),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...rows('=', a.slice(a.length - tail))
  ];
}

/** @param {string[]} a @param {string[]} b @returns {Array<{sign: '=' | '-' | '+', text: string}>} */
function middle(a, b) {
  /** @type {Array<{sign: '=' | '-' | '+', text: string}>} */
  const rows = [];
  const lengths = a.length > DIFF_MOST || b.length > DIFF_MOST ? null : longest(a, b);
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (lengths && i < a.length && j < b.length && a[i] === b[j]) {
      rows.push({ sign: '=', text: a[i] });
      i += 1;
      j += 1;
    } else if (i < a.length && (j >= b.length || !lengths || lengths[i + 1][j] >= lengths[i][j + 1])) {
      rows.push({ sign: '-', text: a[i] });
      i += 1;
    } else {
      rows.push({ sign: '+', text: b[j] });
      j += 1;
    }
  }
  return rows;
}

/** For each pair of places, how many lines the rests have in common, in order. @param {string[]} a @param {string[]} b */
function longest(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  return lengths;
}
