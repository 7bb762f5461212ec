/**
 * Changes to the cells of one notebook: insert, append, finish, remove. Everything stays off the undo stack, and works on
 * the model, since in a windowed notebook the widget of a cell may not be on the page.
 */

import { Cell, CodeCell, ICellModel, ICodeCellModel, MarkdownCell } from '@jupyterlab/cells';
import type { IBaseCell, IOutput } from '@jupyterlab/nbformat';
import type { INotebookModel, NotebookPanel } from '@jupyterlab/notebook';
import type { ISharedCell } from '@jupyter/ydoc';
import { UUID } from '@lumino/coreutils';

import type { CellDict, CellMetadata, Insert } from './protocol';

/** What takes the place of a question's cells and outputs. */
export interface Working {
  cells: CellDict[];
  outputs: IOutput[];
  execution_count: number | null;
}

/** `metadata.rlm` of a cell, empty where it has none. */
export function rlmOf(model: ICellModel): CellMetadata {
  const mark = (model.getMetadata('rlm') as CellMetadata | undefined) ?? {};
  // A copy that the person made of a model's cell carries its mark, and is the person's.
  return mark.cell_id && mark.cell_id !== model.id ? {} : mark;
}

/** A cell that a model wrote. */
export function isModelCell(model: ICellModel): boolean {
  return typeof rlmOf(model).run_id === 'string';
}

/** Which run an answer came from: its output says so. */
function runIdOf(output: IOutput): string | undefined {
  const metadata = output['metadata'] as { rlm?: { run_id?: string } } | undefined;
  return metadata?.rlm?.run_id;
}

export class NotebookDocument {
  constructor(readonly panel: NotebookPanel) {}

  get model(): INotebookModel | null {
    return this.panel.isDisposed ? null : this.panel.content.model;
  }

  /** Whether others edit the same document at the same time. */
  get shared(): boolean {
    return this.model?.collaborative ?? false;
  }

  /** All cells, in order. */
  cells(): ICellModel[] {
    return this.model ? Array.from(this.model.cells) : [];
  }

  indexOf(cellId: string): number {
    return this.cells().findIndex(cell => cell.id === cellId);
  }

  cell(cellId: string): ICellModel | undefined {
    return this.cells().find(cell => cell.id === cellId);
  }

  codeCell(cellId: string): ICodeCellModel | undefined {
    const found = this.cell(cellId);
    return found?.type === 'code' ? (found as ICodeCellModel) : undefined;
  }

  widget(cellId: string): Cell | undefined {
    return this.panel.content.widgets.find(widget => widget.model?.id === cellId);
  }

  codeWidget(cellId: string): CodeCell | undefined {
    const found = this.widget(cellId);
    return found instanceof CodeCell ? found : undefined;
  }

  /** Cells the model wrote for a `%%rlm` cell. */
  workingOf(anchorId: string): ICellModel[] {
    return this.cells().filter(cell => isModelCell(cell) && rlmOf(cell).anchor === anchorId);
  }

  /**
   * Add an empty cell after the first candidate that exists, else at the end.
   *
   * @returns whether it was added; false where it is there already.
   */
  insert(cell: Insert, source = ''): boolean {
    const model = this.model;
    if (!model || this.indexOf(cell.cell_id) >= 0) {
      return false;
    }
    const before = cell.after.map(id => this.indexOf(id)).find(index => index >= 0);
    const index = before === undefined ? model.cells.length : before + 1;
    this._unseen(() => {
      model.sharedModel.insertCell(index, {
        id: cell.cell_id,
        cell_type: cell.cell_type,
        source,
        metadata: cell.metadata as unknown as Partial<IBaseCell['metadata']>
      });
    });
    const inserted = this.codeCell(cell.cell_id);
    if (inserted) {
      // A cell without outputs has nothing to distrust; without this the whole notebook would count as not trusted.
      inserted.trusted = true;
    }
    return true;
  }

  /** Put `text` at `pos`, in place of all that follows. */
  append(cellId: string, pos: number, text: string): void {
    const cell = this.cell(cellId);
    if (!cell) {
      return;
    }
    const shared: ISharedCell = cell.sharedModel;
    const length = shared.getSource().length;
    shared.transact(() => shared.updateSource(Math.min(pos, length), length, text), false);
  }

  setSource(cellId: string, source: string): void {
    const shared = this.cell(cellId)?.sharedModel;
    if (shared && shared.getSource() !== source) {
      shared.transact(() => shared.setSource(source), false);
    }
  }

  /** Show the answer of a run at its question, unless it stands there. */
  showAnswer(anchor: string, runId: string, outputs: IOutput[], count: number | null): void {
    const cell = this.codeCell(anchor);
    if (cell && !cell.outputs.toJSON().some(output => runIdOf(output) === runId)) {
      cell.outputs.fromJSON(outputs);
      cell.executionCount = count;
    }
  }

  /** Merge fields into `metadata.rlm`. */
  annotate(cellId: string, fields: CellMetadata): void {
    const cell = this.cell(cellId);
    if (cell) {
      cell.sharedModel.transact(() => cell.setMetadata('rlm', { ...rlmOf(cell), ...fields }), false);
    }
  }

  /** Show a Markdown cell as text, once it is written. */
  render(cellId: string): void {
    const widget = this.widget(cellId);
    if (widget instanceof MarkdownCell && widget.model.sharedModel.getSource().trim()) {
      widget.rendered = true;
    }
  }

  /**
   * Remove cells.
   *
   * @param undoable true where a person asked for it.
   */
  remove(gone: (cell: ICellModel) => boolean, undoable = false): void {
    const model = this.model;
    if (!model) {
      return;
    }
    const work = () => {
      for (let index = model.cells.length - 1; index >= 0; index--) {
        if (gone(model.cells.get(index))) {
          model.sharedModel.deleteCell(index);
        }
      }
    };
    model.sharedModel.transact(work, undoable);
  }

  /**
   * Put other cells and outputs in place of those of a question.
   *
   * @param runId its cells go too, wherever they stand.
   * @param from `file`: they stood in the notebook, are trusted as much as it is, and a person can undo it.
   */
  replaceWorking(anchor: ICodeCellModel, runId: string, working: Working, from: 'kernel' | 'file'): void {
    const undoable = from === 'file';
    this.remove(cell => {
      const meta = rlmOf(cell);
      return !!meta.run_id && (meta.run_id === runId || meta.anchor === anchor.id);
    }, undoable);
    const taken = new Set(this.cells().map(cell => cell.id));
    const cells = working.cells.map(cell => {
      const id = cell.id && !taken.has(cell.id) ? cell.id : UUID.uuid4();
      const rlm = { ...(cell.metadata['rlm'] as CellMetadata | undefined), anchor: anchor.id, cell_id: id };
      // Not set after it is there: other pages of a shared notebook would lose sight of its outputs.
      const trusted = cell.cell_type === 'code' && from === 'kernel' ? { trusted: true } : {};
      return { ...cell, id, metadata: { ...cell.metadata, ...trusted, rlm } };
    });
    const index = this.indexOf(anchor.id);
    const { sharedModel } = this.model!;
    sharedModel.transact(() => sharedModel.insertCells(index + 1, cells), undoable);
    cells.forEach(({ id }) => this.render(id));
    anchor.outputs.fromJSON(working.outputs);
    anchor.executionCount = working.execution_count;
  }

  /** Add a code cell at the end, as a person would; gives its id. */
  addLast(source: string): string {
    const id = UUID.uuid4();
    const { sharedModel, cells } = this.model!;
    sharedModel.insertCell(cells.length, { id, cell_type: 'code', source, metadata: { trusted: true } });
    return id;
  }

  /** Scroll to a cell and select it. */
  async reveal(cellId: string): Promise<void> {
    const index = this.indexOf(cellId);
    if (index >= 0) {
      const { content } = this.panel;
      content.activeCellIndex = index;
      content.deselectAll();
      await content.scrollToItem(index, 'smart').catch(() => undefined);
    }
  }

  private _unseen(work: () => void): void {
    this.model?.sharedModel.transact(work, false);
  }
}
