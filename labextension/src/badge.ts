/**
 * The line above a cell that the model wrote: who wrote it, in which turn, and what that cost.
 */

import { Widget } from '@lumino/widgets';

export interface BadgeState {
  /** What was spent, from the metadata; empty while the cell is written. */
  text: string;
  writing: boolean;
  /** Prose that has more than its first line; undefined where there is nothing to fold. */
  folded: boolean | undefined;
}

export class Badge extends Widget {
  /** @param toggle folds or unfolds the prose. */
  constructor(toggle: () => void) {
    super();
    this.addClass('rlm-Badge');
    this._toggle = document.createElement('button');
    this._toggle.type = 'button';
    this._toggle.className = 'rlm-Badge-toggle';
    this._toggle.onclick = event => {
      event.stopPropagation();
      toggle();
    };
    const who = document.createElement('span');
    who.className = 'rlm-visuallyHidden';
    who.textContent = 'Cell written by the model: ';
    this._text = document.createElement('span');
    this._text.className = 'rlm-Badge-text';
    this.node.append(this._toggle, who, this._text);
    this._toggle.hidden = true;
  }

  display(state: BadgeState): void {
    const key = JSON.stringify(state);
    if (key === this._shown) {
      return;
    }
    this._shown = key;
    this._text.textContent = state.text || (state.writing ? 'writing …' : 'model');
    this.toggleClass('rlm-mod-writing', state.writing);
    this._toggle.hidden = state.folded === undefined;
    if (state.folded !== undefined) {
      this._toggle.textContent = state.folded ? '▸ more' : '▾ less';
      this._toggle.setAttribute('aria-expanded', String(!state.folded));
      this._toggle.setAttribute(
        'aria-label',
        state.folded ? 'Show all the model says here' : 'Show only the first line'
      );
    }
  }

  private _shown = '';
  private _toggle: HTMLButtonElement;
  private _text: HTMLSpanElement;
}
