/**
 * The line above a cell: who wrote it, what that cost, what has become of it, and what can be done with it.
 */

import { Widget } from '@lumino/widgets';

import { button, span } from './elements';

export interface BadgeState {
  /** The model wrote the cell; else it is a person's, and has a mark. */
  model: boolean;
  /** What was spent, from the metadata; empty while the cell is written. */
  text: string;
  writing: boolean;
  waiting: boolean;
  /** Prose that has more than its first line; undefined where there is nothing to fold. */
  folded: boolean | undefined;
  /** The person changed what the model wrote. */
  edited: boolean;
  stale: boolean;
  undone: boolean;
  /** What can be done here. */
  rerun: boolean;
  goOn: boolean;
}

export interface BadgeActions {
  toggle: () => void;
  rerun: () => void;
  goOn: () => void;
  /** Open the menu of everything else at this place of the window. */
  more: (x: number, y: number) => void;
}

export class Badge extends Widget {
  constructor(actions: BadgeActions) {
    super();
    this.addClass('rlm-Badge');
    this._toggle = button({ label: '', name: 'rlm-mod-link rlm-Badge-toggle', pressed: actions.toggle });
    this._rerun = button({ label: 'Re-run from here', name: 'rlm-Badge-rerun', pressed: actions.rerun });
    this._goOn = button({
      label: 'Continue from here',
      name: 'rlm-Badge-goOn',
      title: 'Let the model go on with what your cell did',
      pressed: actions.goOn
    });
    this._more = button({
      label: '⋯',
      name: 'rlm-Badge-more',
      title: 'More to do from this cell',
      pressed: () => {
        const { left, bottom } = this._more.getBoundingClientRect();
        actions.more(left, bottom);
      }
    });
    this._more.setAttribute('aria-label', 'More to do from this cell');
    this._more.setAttribute('aria-haspopup', 'menu');
    this._actions = span('rlm-Badge-actions');
    this._actions.append(this._rerun, this._goOn, this._more);
    this.node.append(this._toggle, this._actions, this._marks, this._who, this._text);
    this._toggle.hidden = true;
  }

  display(state: BadgeState): void {
    const key = JSON.stringify(state);
    if (key === this._shown) {
      return;
    }
    this._shown = key;
    const idle = state.waiting ? 'waits for you' : state.writing ? 'writing …' : 'model';
    this._who.textContent = state.model ? 'Cell written by the model: ' : '';
    this._text.textContent = state.model ? state.text || idle : '';
    this._marks.replaceChildren(...marks(state));
    this.toggleClass('rlm-mod-writing', state.writing);
    this.toggleClass('rlm-mod-offers', state.edited || state.goOn);
    this._rerun.hidden = !state.rerun;
    this._rerun.title = state.edited
      ? 'Put Python back to before this cell, run it as you changed it, and let the model go on'
      : 'Put Python back to before this cell, and ask the model again';
    this._goOn.hidden = !state.goOn;
    this._more.hidden = !state.rerun;
    this._showToggle(state.folded);
  }

  private _showToggle(folded: boolean | undefined): void {
    this._toggle.hidden = folded === undefined;
    if (folded !== undefined) {
      this._toggle.textContent = folded ? '▸ more' : '▾ less';
      this._toggle.setAttribute('aria-expanded', String(!folded));
      this._toggle.setAttribute('aria-label', folded ? 'Show all the model says here' : 'Show only the first line');
    }
  }

  private _shown = '';
  private _toggle: HTMLButtonElement;
  private _rerun: HTMLButtonElement;
  private _goOn: HTMLButtonElement;
  private _more: HTMLButtonElement;
  private _actions: HTMLSpanElement;
  private _marks = span('rlm-Badge-marks');
  private _who = span('rlm-visuallyHidden');
  private _text = span('rlm-Badge-text');
}

function marks(state: BadgeState): HTMLElement[] {
  const found: [boolean, string, string][] = [
    [state.edited, 'edited', 'You changed what the model wrote'],
    [state.stale, 'state changed above', 'A cell above was changed and run after this one'],
    [state.undone, 'undone', "This cell's effect on Python's variables is gone; its files and requests are not"]
  ];
  return found
    .filter(([holds]) => holds)
    .map(([, text, title]) => {
      const mark = span('rlm-Badge-mark', text);
      mark.title = title;
      return mark;
    });
}
