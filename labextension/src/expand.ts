/**
 * Runs that came as one output, because they were made without live cells, turned into cells.
 */

import type { ICodeCellModel } from '@jupyterlab/cells';

import { NotebookDocument } from './document';
import { RUN_MIME, RunOutput } from './protocol';

/** Whether an output of this notebook carries a run. */
export function hasRunOutputs(document: NotebookDocument): boolean {
  return document.cells().some(cell => cell.type === 'code' && !!runOf(cell as ICodeCellModel));
}

/**
 * Turn run outputs into cells.
 *
 * @param runId only this run; else all of the notebook.
 * @returns how many runs were expanded.
 */
export function expandRuns(document: NotebookDocument, runId?: string): number {
  let count = 0;
  for (const cell of document.cells()) {
    const run = cell.type === 'code' ? runOf(cell as ICodeCellModel) : null;
    if (run && (!runId || run.run_id === runId)) {
      document.replaceWorking(cell as ICodeCellModel, run.run_id, run, 'file');
      count += 1;
    }
  }
  return count;
}

function runOf(cell: ICodeCellModel): RunOutput | null {
  for (let index = 0; index < cell.outputs.length; index++) {
    const run = cell.outputs.get(index).data[RUN_MIME] as unknown as RunOutput | undefined;
    if (run && run.version === 1 && Array.isArray(run.cells) && Array.isArray(run.outputs)) {
      return run;
    }
  }
  return null;
}
