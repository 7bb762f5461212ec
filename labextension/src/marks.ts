/**
 * What a cell's mark says of it: edited since the model wrote it, run by the person, stale, undone.
 */

import type { ICellModel } from '@jupyterlab/cells';
import { ISignal, Signal } from '@lumino/signaling';

import { isModelCell, NotebookDocument, rlmOf } from './document';

/** A short hash of a source, to tell whether it was changed; blank ends do not count. */
export function hashOf(source: string): string {
  const text = source.trimEnd();
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0).toString(36);
}

/** Whether a model's code cell says something else than the model wrote. */
export function isEdited(cell: ICellModel): boolean {
  const { written } = rlmOf(cell);
  return cell.type === 'code' && !!written && isModelCell(cell) && hashOf(cell.sharedModel.getSource()) !== written;
}

/** Remember that the cell says what the model wrote. */
export function markWritten(document: NotebookDocument, cellId: string, source?: string): void {
  const cell = document.codeCell(cellId);
  if (cell && isModelCell(cell)) {
    document.annotate(cellId, { written: hashOf(source ?? cell.sharedModel.getSource()) });
  }
}

/**
 * Cells whose effect on Python's state was undone. Not kept with the notebook: the kernel, whose state it is, says it again
 * to a page that comes late.
 */
export class Undones {
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  has(cellId: string): boolean {
    return this._cells.has(cellId);
  }

  /** This page came late: these they are. */
  set(cellIds: string[]): void {
    this._cells = new Set(cellIds);
    this._changed.emit();
  }

  add(cellIds: string[]): void {
    cellIds.forEach(id => this._cells.add(id));
    this._changed.emit();
  }

  /** The cell was run again. */
  remove(cellId: string): void {
    if (this._cells.delete(cellId)) {
      this._changed.emit();
    }
  }

  clear(): void {
    this._cells.clear();
    this._changed.emit();
  }

  private _cells = new Set<string>();
  private _changed = new Signal<this, void>(this);
}
