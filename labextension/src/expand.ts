/**
 * Runs that came as one output, because they were made without live cells, turned into cells.
 */

import type { ICodeCellModel } from '@jupyterlab/cells';
import type { ICell, IOutput } from '@jupyterlab/nbformat';
import { UUID } from '@lumino/coreutils';

import { NotebookDocument, rlmOf } from './document';
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
      expand(document, cell as ICodeCellModel, run);
      count += 1;
    }
  }
  return count;
}

function expand(document: NotebookDocument, anchor: ICodeCellModel, run: RunOutput): void {
  document.remove(cell => {
    const meta = rlmOf(cell);
    return !!meta.run_id && (meta.run_id === run.run_id || meta.anchor === anchor.id);
  }, true);
  const taken = new Set(document.cells().map(cell => cell.id));
  const cells = run.cells.map(cell => {
    const metadata = (cell['metadata'] ?? {}) as ICell['metadata'];
    const id = typeof cell['id'] === 'string' && !taken.has(cell['id']) ? cell['id'] : UUID.uuid4();
    const rlm = { ...((metadata['rlm'] as object | undefined) ?? {}), anchor: anchor.id, cell_id: id };
    return { ...cell, id, metadata: { ...metadata, rlm } } as unknown as ICell;
  });
  document.insertBelow(anchor.id, cells);
  anchor.outputs.fromJSON(run.outputs as unknown as IOutput[]);
  anchor.executionCount = run.execution_count;
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
