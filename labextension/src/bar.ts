/**
 * The bar of a run, at its `%%rlm` cell: what it does, buttons to steer it, what waits for a decision, and one to fold
 * away its working.
 */

import { Widget } from '@lumino/widgets';

import { button, line, span } from './elements';
import type { RunState, Steering, WaitingDict } from './protocol';
import { WaitingActions, WaitingBox } from './waitingbox';

export interface BarState {
  /** null: a run of an earlier time, of which only the cells are here. */
  run: {
    live: boolean;
    state: RunState;
    text: string;
    turn: number | null;
    /** What was told to the model and it has not heard yet. */
    steers: string[];
    /** What is to be decided here: what has no cell of its own. */
    waiting: WaitingDict[];
    /** A cell further down that waits. */
    waitingCell: string | null;
    /** What the button says that goes on with the run; null where there is nothing to go on with. */
    goOn: string | null;
  } | null;
  /** How many cells the working has. */
  cells: number;
  folded: boolean;
}

export interface BarActions extends WaitingActions {
  steer: (what: Steering) => void;
  /** Fold or unfold the working. */
  toggle: () => void;
  tell: (text: string) => void;
  goOn: () => void;
  show: (cellId: string) => void;
}

const STATES: Record<RunState, string> = {
  running: 'Running',
  paused: 'Paused',
  stopping: 'Stopping',
  ended: 'Ended'
};

export class RunBar extends Widget {
  constructor(private _actions: BarActions) {
    super();
    this.addClass('rlm-RunBar');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', 'RLM run');
    this._live.setAttribute('role', 'status');
    this._live.setAttribute('aria-live', 'polite');
    this._fold = button({ label: '', name: 'rlm-RunBar-fold', pressed: _actions.toggle });
    this._buttons = steeringButtons(_actions.steer);
    this._say = button({ label: 'Steer…', title: 'Tell the model something (G T)', pressed: () => this.askSteer() });
    this._goOn = button({ label: '', name: 'rlm-RunBar-goOn', pressed: _actions.goOn });
    this._line = line({
      label: 'Message to the model',
      placeholder: 'What the model is told with its next turn',
      send: 'Send',
      done: text => {
        this._closeLine();
        _actions.tell(text);
      },
      cancelled: () => this._closeLine()
    });
    this._line.hidden = true;
    this._look = button({
      label: 'Show what waits',
      pressed: () => this._waitingCell && this._actions.show(this._waitingCell)
    });
    this._pending.setAttribute('role', 'status');
    const { pause, resume, step, stop } = this._buttons;
    const buttons = span('rlm-RunBar-buttons');
    buttons.append(this._look, pause, resume, step, this._say, stop, this._goOn);
    this.node.append(this._fold, this._text, this._live, buttons);
    this.node.append(this._line, this._pending, this._boxes);
    this._boxes.className = 'rlm-RunBar-boxes';
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
    this._showButtons(run);
    this._showSteers(run);
    this._showWaiting(run?.waiting ?? []);
  }

  /** Open the line for a message to the model. */
  askSteer(): void {
    this._line.hidden = false;
    this._line.querySelector('input')?.focus();
  }

  /** The box of something that waits here. */
  box(waitingId: string): WaitingBox | undefined {
    return this._waiting.get(waitingId);
  }

  override dispose(): void {
    this._waiting.forEach(box => box.dispose());
    super.dispose();
  }

  private _showButtons(run: BarState['run']): void {
    const live = run?.live ?? false;
    const paused = run?.state === 'paused';
    const decides = !!run && (run.waiting.length > 0 || !!run.waitingCell);
    const { pause, resume, step, stop } = this._buttons;
    const focused = document.activeElement;
    pause.hidden = !live || paused;
    // What waits for a decision goes on by being decided.
    resume.hidden = step.hidden = !live || !paused || decides;
    stop.hidden = this._say.hidden = !live;
    pause.disabled = stop.disabled = this._say.disabled = run?.state === 'stopping';
    this._goOn.hidden = !run?.goOn;
    this._goOn.textContent = run?.goOn ?? '';
    // The button that was pressed is gone: its counterpart takes the focus, so that the keyboard stays where it was.
    if (focused === pause && pause.hidden && !resume.hidden) {
      resume.focus();
    } else if (focused === resume && resume.hidden && !pause.hidden) {
      pause.focus();
    }
  }

  private _showSteers(run: BarState['run']): void {
    if (!run?.live && !this._line.hidden) {
      this._closeLine();
    }
    const steers = run?.steers ?? [];
    this._pending.hidden = !steers.length;
    this._pending.textContent = steers.length ? `Told with the next turn: ${steers.join(' · ')}` : '';
  }

  private _showWaiting(waiting: WaitingDict[]): void {
    const now = new Set(waiting.map(each => each.id));
    for (const [id, box] of this._waiting) {
      if (!now.has(id)) {
        this._waiting.delete(id);
        box.node.remove();
        box.dispose();
      }
    }
    for (const each of waiting) {
      if (!this._waiting.has(each.id)) {
        const box = new WaitingBox(each, this._actions);
        this._waiting.set(each.id, box);
        // Not in a layout: the bar itself is put into a cell's.
        this._boxes.append(box.node);
      }
    }
    this._boxes.hidden = !waiting.length;
  }

  private _closeLine(): void {
    const inside = this._line.contains(document.activeElement);
    this._line.hidden = true;
    if (inside && !this._say.hidden) {
      this._say.focus();
    }
  }

  /** Said aloud only where it matters: a new state or a new turn, not each token. */
  private _announce(run: BarState['run']): void {
    const cell = run?.waitingCell ?? null;
    this._waitingCell = cell;
    this._look.hidden = !cell;
    const said = run ? `${STATES[run.state]}${run.turn ? `, turn ${run.turn}` : ''}` : '';
    if (said !== this._said) {
      this._said = said;
      this._live.textContent = run && !run.live ? `${said}. ${run.text}` : said;
    }
  }

  private _shown = '';
  private _said = '';
  private _fold: HTMLButtonElement;
  private _say: HTMLButtonElement;
  private _goOn: HTMLButtonElement;
  private _text = span('rlm-RunBar-text');
  private _live = span('rlm-visuallyHidden');
  private _look: HTMLButtonElement;
  private _waitingCell: string | null = null;
  private _pending = span('rlm-RunBar-steers');
  private _boxes = document.createElement('div');
  private _line: HTMLDivElement;
  private _waiting = new Map<string, WaitingBox>();
  private _buttons: Record<Steering, HTMLButtonElement>;
}

function steeringButtons(steer: (what: Steering) => void): Record<Steering, HTMLButtonElement> {
  const make = (what: Steering, label: string, title: string) =>
    button({ label, title, name: `rlm-RunBar-${what}`, pressed: () => steer(what) });
  return {
    pause: make('pause', 'Pause', 'Pause before the next token, cell or call (G P)'),
    resume: make('resume', 'Resume', 'Let the run go on (G P)'),
    step: make('step', 'Step', 'Let one cell or call through, then pause again (G S)'),
    stop: make('stop', 'Stop', 'Stop this run; its cells and what was paid for stay (G X)')
  };
}
