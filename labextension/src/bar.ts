/**
 * The bar of a run, at its `%%rlm` cell: what it does, buttons to steer it, and one to fold away its working.
 */

import { Widget } from '@lumino/widgets';

import type { RunStatus, Steering } from './protocol';

export interface BarState {
  /** null: a run of an earlier time, of which only the cells are here. */
  run: { live: boolean; state: RunStatus; text: string; turn: number | null } | null;
  /** How many cells the working has. */
  cells: number;
  folded: boolean;
}

const STATES: Record<RunStatus, string> = {
  running: 'Running',
  paused: 'Paused',
  stopping: 'Stopping',
  ended: 'Ended'
};

export class RunBar extends Widget {
  /**
   * @param steer pauses, resumes, steps or stops the run
   * @param toggle folds or unfolds the working
   */
  constructor(steer: (what: Steering) => void, toggle: () => void) {
    super();
    this.addClass('rlm-RunBar');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', 'RLM run');
    this._fold = button('', 'rlm-RunBar-fold', toggle);
    this._text = span('rlm-RunBar-text');
    this._live = span('rlm-visuallyHidden');
    this._live.setAttribute('role', 'status');
    this._live.setAttribute('aria-live', 'polite');
    const pause = button('Pause', 'rlm-RunBar-pause', () => steer('pause'));
    pause.title = 'Pause before the next token, cell or call';
    const resume = button('Resume', 'rlm-RunBar-resume', () => steer('resume'));
    const step = button('Step', 'rlm-RunBar-step', () => steer('step'));
    step.title = 'Let one cell or call through, then pause again';
    const stop = button('Stop', 'rlm-RunBar-stop', () => steer('stop'));
    stop.title = 'Stop this run; its cells and what was paid for stay';
    this._buttons = { pause, resume, step, stop };
    this.node.append(this._fold, this._text, this._live, pause, resume, step, stop);
  }

  display(state: BarState): void {
    const key = JSON.stringify(state);
    if (key === this._shown) {
      return;
    }
    this._shown = key;
    const { run, cells, folded } = state;
    const live = run?.live ?? false;
    this.node.dataset['state'] = run ? run.state : 'ended';
    // How much it took stands at the foot of the answer.
    this._text.textContent = live ? (run?.text ?? '') : (run?.text.split(' · ')[0] ?? '');
    this._text.title = run?.text ?? '';
    this._announce(run);
    this._fold.hidden = cells === 0;
    this._fold.textContent = `${folded ? '▸' : '▾'} working: ${cells} ${cells === 1 ? 'cell' : 'cells'}`;
    this._fold.setAttribute('aria-expanded', String(!folded));
    this._fold.setAttribute('aria-label', `${folded ? 'Show' : 'Hide'} the working, ${cells} cells`);
    const paused = run?.state === 'paused';
    const { pause, resume, step, stop } = this._buttons;
    const focused = document.activeElement;
    pause.hidden = !live || paused;
    resume.hidden = !live || !paused;
    step.hidden = !live || !paused;
    stop.hidden = !live;
    pause.disabled = stop.disabled = run?.state === 'stopping';
    // The button that was pressed is gone: its counterpart takes the focus, so that the keyboard stays where it was.
    if (focused === pause && pause.hidden && !resume.hidden) {
      resume.focus();
    } else if (focused === resume && resume.hidden && !pause.hidden) {
      pause.focus();
    }
  }

  /** Said aloud only where it matters: a new state or a new turn, not each token. */
  private _announce(run: BarState['run']): void {
    const said = run ? `${STATES[run.state]}${run.turn ? `, turn ${run.turn}` : ''}` : '';
    if (said !== this._said) {
      this._said = said;
      this._live.textContent = run && !run.live ? `${said}. ${run.text}` : said;
    }
  }

  private _shown = '';
  private _said = '';
  private _fold: HTMLButtonElement;
  private _text: HTMLSpanElement;
  private _live: HTMLSpanElement;
  private _buttons: Record<Steering, HTMLButtonElement>;
}

function span(name: string): HTMLSpanElement {
  const node = document.createElement('span');
  node.className = name;
  return node;
}

function button(label: string, name: string, pressed: () => void): HTMLButtonElement {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = `rlm-RunBar-button ${name}`;
  node.textContent = label;
  node.onclick = event => {
    event.stopPropagation();
    pressed();
  };
  // The notebook takes a mouse press for a selection of the cell, and Enter for its edit mode.
  node.onmousedown = event => event.stopPropagation();
  node.onkeydown = event => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.stopPropagation();
    }
  };
  return node;
}
