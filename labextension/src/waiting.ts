/**
 * Where decisions are made: a box at each cell that waits, with the lines to look at marked in its editor. The person may
 * edit the cell meanwhile.
 */

import { Notification } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';

import { markLines } from './linemarks';
import type { WaitingDict } from './protocol';
import type { Run } from './runs';
import type { Session } from './session';
import { tell } from './tell';
import { WaitingActions, WaitingBox } from './waitingbox';

/** How long the view may take to follow to what waits. */
const LOOK_MS = 500;

export class Decisions implements WaitingActions {
  constructor(private _session: Session) {}

  decide: WaitingActions['decide'] = (waits, decision) => this._session.decide(waits, decision);

  source: WaitingActions['source'] = waits =>
    waits.kind === 'cell' && waits.cell_id
      ? this._session.document.cell(waits.cell_id)?.sharedModel.getSource()
      : undefined;

  goTo: WaitingActions['goTo'] = (waits, line) => {
    const { document, panel } = this._session;
    if (waits.cell_id) {
      void document.reveal(waits.cell_id).then(() => {
        panel.content.mode = 'edit';
        panel.content.activeCell?.editor?.setCursorPosition({ line: line - 1, column: 0 });
      });
    }
  };

  /** What waits at this cell. */
  at(cellId: string): WaitingDict | undefined {
    return this._session.runs.waiting().find(({ waits }) => waits.kind === 'cell' && waits.cell_id === cellId)?.waits;
  }

  /** What waits and has no cell in this notebook, or is about calls: decided on the bar of its run. */
  onBar(run: Run): WaitingDict[] {
    return run.waiting.filter(waits => this.source(waits) === undefined);
  }

  /** The cell of a run that waits. */
  cellOf(run: Run): string | null {
    return run.waiting.find(waits => this.source(waits) !== undefined)?.cell_id ?? null;
  }

  /** Draw, move or take away the box of a cell. */
  draw(widget: Cell, ensure: (make: () => WaitingBox) => WaitingBox | null): void {
    const waits = this.at(widget.model.id);
    const present = this._boxes.get(widget);
    if (present && present.waits.id !== waits?.id) {
      present.dispose();
      this._boxes.delete(widget);
      this._marked.delete(widget);
      markLines(widget, []);
    }
    widget.toggleClass('rlm-mod-waiting', !!waits);
    if (!waits) {
      return;
    }
    const box = ensure(() => new WaitingBox(waits, this));
    if (box) {
      this._boxes.set(widget, box);
      box.refresh();
    }
    if (widget.editor && !this._marked.has(widget)) {
      this._marked.add(widget);
      markLines(widget, waits.reasons);
    }
  }

  /** The box of this cell, if it is drawn. */
  boxOf(widget: Cell): WaitingBox | undefined {
    return this._boxes.get(widget);
  }

  /** Look after what is new: bring it into sight, or say that it is there. */
  greet(hooks: { fresh: (waits: WaitingDict) => void; sees: (place: string | null) => boolean }): void {
    const waiting = this._session.runs.waiting();
    const now = new Set(waiting.map(({ waits }) => waits.id));
    for (const { run, waits } of waiting.filter(each => !this._told.has(each.waits.id))) {
      this._told.set(waits.id, '');
      const place = this.source(waits) === undefined ? run.anchorId : waits.cell_id;
      hooks.fresh(waits);
      if (place) {
        this._session.follow.grown(place);
      }
      // Twice: while the theme changes nothing is where it will be.
      const look = (again: boolean) => {
        if (!place || !this._told.has(waits.id) || hooks.sees(place)) {
          return;
        }
        if (again) {
          setTimeout(() => look(false), LOOK_MS);
        } else {
          this._told.set(waits.id, this._notify(place));
        }
      };
      setTimeout(() => look(true), LOOK_MS);
    }
    for (const [id, shown] of [...this._told].filter(([key]) => !now.has(key))) {
      this._told.delete(id);
      if (shown) {
        Notification.dismiss(shown);
      }
    }
  }

  private _notify(place: string): string {
    const callback = () => void this._session.document.reveal(place);
    return tell('info', 'The run waits for your decision.', { label: 'Show', callback });
  }

  private _boxes = new WeakMap<Cell, WaitingBox>();
  private _marked = new WeakSet<Cell>();
  private _told = new Map<string, string>();
}
