// @ts-check
/**
 * What the picture of a document shows: bands of what was read, and the parts of the document at a place. Pure.
 *
 * @typedef {import('./generated').LandmarkDict} Landmark
 * @typedef {{from: number, to: number, level: number}} Band
 *   Cells `from` up to `to`, without it, of which about `level` tenths were read; from 1 on.
 */

const LEVELS = 10;
const PART_KINDS = /** @type {const} */ (['file', 'section', 'page']);

/** Put equal cells that stand together into one band; what was not read is left out. @param {number[]} strip */
export function stripBands(strip) {
  /** @type {Band[]} */
  const bands = [];
  strip.forEach((share, at) => {
    const level = share > 0 ? Math.max(1, Math.round(share * LEVELS)) : 0;
    const last = bands[bands.length - 1];
    if (last && last.to === at && last.level === level) last.to++;
    else if (level) bands.push({ from: at, to: at + 1, level });
  });
  return bands;
}

/** The characters of some cells. @param {number} length @param {number} cells @param {number} from @param {number} to */
export function charsOf(length, cells, from, to) {
  const start = Math.floor((length * from) / cells);
  return { start, end: Math.max(start + 1, Math.min(length, Math.floor((length * to) / cells))) };
}

/** The cell in which a character lies. @param {number} length @param {number} cells @param {number} at */
export function cellOf(length, cells, at) {
  return Math.max(0, Math.min(cells - 1, Math.floor((at * cells) / Math.max(1, length))));
}

/** Name the parts in which a piece of a document lies: file, section, page. @param {Landmark[]} landmarks
 * @param {number} start @param {number} end */
export function partsAt(landmarks, start, end) {
  const words = [];
  let file = 0;
  for (const kind of PART_KINDS) {
    const same = landmarks.filter(each => each.kind === kind);
    const first = same.filter(each => each.start <= start).pop();
    const last = same.filter(each => each.start < end).pop();
    if (kind === 'file') file = first?.start ?? 0;
    // A section or page of the file before says nothing.
    const begins = first && first.start >= file ? first.label : '';
    const ends = last && last !== first ? last.label : '';
    if (begins || ends) words.push(begins && ends ? `${begins} – ${ends}` : begins || ends);
  }
  return words.join(', ');
}

/**
 * Which kinds of landmarks have room: one that stands closer than some pixels is only a smear.
 *
 * @param {Landmark[]} landmarks @param {number} width in pixels
 */
export function roomyKinds(landmarks, width) {
  return PART_KINDS.filter(kind => {
    const number = landmarks.filter(each => each.kind === kind).length;
    return number > 0 && width / number >= 4;
  });
}

/**
 * Choose the landmarks whose labels have room below the picture: files first, then sections, then pages.
 *
 * @param {Landmark[]} landmarks @param {number} length of the document @param {number} width in pixels
 * @param {number} each pixels of a label
 */
export function stripLabels(landmarks, length, width, each) {
  /** @type {Array<{left: number, label: string}>} */
  const placed = [];
  for (const kind of PART_KINDS) {
    for (const mark of landmarks) {
      const left = (mark.start / length) * width;
      if (mark.kind !== kind || left > width - each / 2) continue;
      if (placed.every(other => Math.abs(other.left - left) >= each)) placed.push({ left, label: mark.label });
    }
    if (placed.length > 1) break;
  }
  return placed;
}

/** Write a share: `37 %`, `less than 1 %`. @param {number} share from 0 to 1 */
export function percent(share) {
  if (share <= 0) return '0 %';
  return share < 0.01 ? 'less than 1 %' : `${Math.round(share * 100)} %`;
}
