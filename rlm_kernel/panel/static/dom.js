// @ts-check
/** Elements, made of text only: nothing here takes markup, so nothing a model wrote can become any. */

const STILL_PX = 8;

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make an element.
 *
 * `class`, `text`, `data` (an object) and `on…` (listeners) are set as such, `true` and `false` switch an attribute on
 * and off, and everything else becomes an attribute. There is no way to give markup.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attrs]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, attrs = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name === 'text') element.textContent = String(value);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(typeof child === 'number' ? String(child) : child);
  }
  return element;
}

/**
 * Make a part of a picture.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} [attrs]
 * @param {...(Node | string)} children
 */
export function svg(tag, attrs = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attrs)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * Set a text only where it is new, so that a person's selection in it lives on.
 *
 * @param {Element} element
 * @param {string} text
 */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Set or take away an attribute only where that changes something.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value
 */
export function mark(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * Make a button.
 *
 * @param {string} text
 * @param {() => void} then
 * @param {Record<string, any>} [attrs]
 */
export function button(text, then, attrs = {}) {
  const { class: more = '', ...others } = attrs;
  return el('button', { type: 'button', class: `rlm-button ${more}`.trim(), onclick: () => then(), ...others }, text);
}

/**
 * Whether a pointer has pressed, not dragged.
 *
 * @param {{x: number, y: number}} begun where it was pressed
 * @param {MouseEvent} event its release
 */
export function isStill(begun, event) {
  return Math.hypot(event.clientX - begun.x, event.clientY - begun.y) <= STILL_PX;
}

/**
 * Let a press count for the button where it began, though what is drawn meanwhile has moved that from under the pointer.
 *
 * @param {HTMLElement} root
 */
export function keepPresses(root) {
  /** @type {{on: HTMLElement, x: number, y: number} | null} */
  let begun = null;
  root.addEventListener(
    'pointerdown',
    ({ target, button: which, clientX: x, clientY: y }) => {
      const on = which === 0 && target instanceof Element ? target.closest('button') : null;
      begun = on && { on, x, y };
    },
    true
  );
  root.addEventListener(
    'click',
    event => {
      const press = event.isTrusted && begun;
      if (!press || press.on.contains(/** @type {Node} */ (event.target))) return;
      begun = null;
      if (!press.on.isConnected || !isStill(press, event)) return;
      event.stopPropagation();
      press.on.click();
    },
    true
  );
}
