// @ts-check
/**
 * Keeps the keyboard in the panel: where what had the focus goes away (a form that was sent, a card that was decided, the
 * message line at the end of a run), the browser leaves the focus nowhere.
 */

/**
 * @param {HTMLElement} root the panel
 * @param {() => void} take gives the focus to what is always there
 */
export function keepFocus(root, take) {
  /** What in the panel had the focus last, as long as the person has not gone elsewhere. @type {HTMLElement | null} */
  let last = null;
  /** @param {Event} event */
  const inside = event => event.target instanceof HTMLElement && root.contains(event.target);
  /** @param {FocusEvent} event */
  const onFocus = event => {
    last = inside(event) ? /** @type {HTMLElement} */ (event.target) : null;
  };
  /** @param {PointerEvent} event */
  const onPointer = event => {
    if (!inside(event)) last = null;
  };
  document.addEventListener('focusin', onFocus);
  document.addEventListener('pointerdown', onPointer, true);
  return {
    /** After a drawing. */
    check() {
      if (!last || last.getClientRects().length || root.getClientRects().length === 0) return;
      // What is hidden keeps the focus until it is drawn.
      const lost = document.activeElement === document.body || document.activeElement === last;
      last = null;
      if (lost) take();
    },
    destroy() {
      document.removeEventListener('focusin', onFocus);
      document.removeEventListener('pointerdown', onPointer, true);
    }
  };
}
