/**
 * Undo to here: Python's state back to before a cell, the person's or the model's.
 */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { ICellModel, ICodeCellModel } from '@jupyterlab/cells';

import type { Session } from './session';

/** Ask, then put Python back to before this cell. */
export async function undoToHere(session: Session, cell: ICellModel): Promise<void> {
  const count = (cell as ICodeCellModel).executionCount;
  const where = count ? `In [${count}]` : 'this cell';
  const result = await showDialog({
    title: `Put Python back to before ${where}?`,
    body:
      'What this cell and the cells run after it did to variables is undone. Cells and outputs stay. ' +
      'Files, network requests and paid calls cannot be undone.',
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Undo to here' })]
  });
  if (result.button.accept) {
    session.undo(cell.id);
  }
}

/** Whether this cell has run, and so can be undone. */
export function canUndo(session: Session, cell: ICellModel | undefined): cell is ICellModel {
  const ran = cell?.type === 'code' && (cell as ICodeCellModel).executionCount !== null;
  return session.isConnected && !session.runs.live && ran && !session.undones.has(cell.id);
}
