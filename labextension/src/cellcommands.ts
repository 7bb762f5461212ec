/**
 * Commands about the selected cell: run again from it, undo to it, decide about it.
 */

import type { ICellModel } from '@jupyterlab/cells';

import type { Command, Notebook } from './commands';
import { isModelCell, rlmOf } from './document';
import { RerunKind, tellFault } from './rerun';
import { canUndo, undoToHere } from './undo';
import type { WaitingBox } from './waitingbox';

/** In the menu of a model's cell, in this order; null is a line between. */
export const CELL_MENU: (string | null)[] = [
  'rlm:rerun-from-here',
  'rlm:hint',
  'rlm:other-model',
  'rlm:continue-from-here',
  null,
  'rlm:undo-to-here'
];

export function rerunning(): Command[] {
  const make = (id: string, label: string, caption: string, kind: RerunKind): Command => ({
    id,
    label,
    caption,
    enabled: notebook => canRerun(notebook, kind),
    execute: ({ session }) => void session.rerun.from(selected(session)!, kind).catch(tellFault)
  });
  return [
    make(
      'rlm:rerun-from-here',
      'RLM: Re-run from here…',
      'Put Python back to before this cell of the model, and run again from it',
      'again'
    ),
    make('rlm:hint', 'RLM: Hint before this turn…', 'Tell the model something, and ask this turn again', 'hint'),
    make('rlm:other-model', 'RLM: Another model…', 'Ask another model from this turn on', 'model'),
    make(
      'rlm:continue-from-here',
      'RLM: Continue from here…',
      'Let the model go on with what the cell you edited and ran has done',
      'continue'
    ),
    {
      id: 'rlm:undo-to-here',
      label: 'RLM: Undo to here…',
      caption: "Put Python's variables back to before the selected cell",
      enabled: ({ session }) => canUndo(session, selected(session)),
      execute: ({ session }) => void undoToHere(session, selected(session)!).catch(tellFault)
    }
  ];
}

export function deciding(): Command[] {
  return [
    {
      id: 'rlm:approve',
      label: 'RLM: Approve what waits',
      caption: 'Run the cell that waits (as you edited it), or make the calls that wait',
      enabled: notebook => notebook.session.runs.waiting().length > 0,
      execute: notebook => boxOf(notebook)?.approve()
    },
    {
      id: 'rlm:reject',
      label: 'RLM: Reject what waits…',
      caption: 'Do not run the cell or make the calls that wait, and tell the model why',
      enabled: notebook => notebook.session.runs.waiting().length > 0,
      execute: notebook => boxOf(notebook)?.reject()
    }
  ];
}

function selected({ panel }: Notebook['session']): ICellModel | undefined {
  return panel.content.activeCell?.model;
}

function canRerun({ session }: Notebook, kind: RerunKind): boolean {
  const cell = selected(session);
  if (!session.isConnected || !session.rerun.fits(cell)) {
    return false;
  }
  return kind !== 'continue' || !!rlmOf(cell).ran;
}

/** The box to decide in: of the selected cell, else of what has waited longest. */
function boxOf({ session, decorations }: Notebook): WaitingBox | undefined {
  const { decisions } = decorations;
  const active = session.panel.content.activeCell;
  const here = active && isModelCell(active.model) ? decisions.boxOf(active) : undefined;
  if (here && !here.isDisposed) {
    return here;
  }
  for (const { run, waits } of session.runs.waiting()) {
    const widget = waits.cell_id ? session.document.widget(waits.cell_id) : undefined;
    const atCell = widget && decisions.at(widget.model.id)?.id === waits.id ? decisions.boxOf(widget) : undefined;
    const box = atCell ?? (run.anchorId ? decorations.barOf(run.anchorId)?.box(waits.id) : undefined);
    if (box) {
      return box;
    }
  }
  return undefined;
}
