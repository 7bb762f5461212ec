/**
 * What the kernel tells about a run, as cells of the notebook.
 */

import type { IDisposable } from '@lumino/disposable';

import { markStale, showBranch } from './branches';
import { rlmOf } from './document';
import { markWritten } from './marks';
import type { AckNode, AckRun, CellMetadata, Finish, HelloAck, Insert, Kept, MessageOf, RunMessage } from './protocol';
import type { Run } from './runs';
import type { Session } from './session';

/** How long the reply of a bound cell may be late before the page ends its `[*]` itself. */
const REPLY_GRACE_MS = 1500;
/** A moved cell is gone and back within one change of the document. */
const REMOVAL_CHECK_MS = 150;

interface Known {
  runId: string;
  nodeId: string;
  msgId: string | null;
}

export class LiveCells implements IDisposable {
  constructor(private _session: Session) {}

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The model writes this cell right now. */
  isWriting(cellId: string): boolean {
    const waits = this._session.runs.waiting().some(each => each.waits.cell_id === cellId);
    return this._writing.has(cellId) && !waits;
  }

  /** Watch the notebook for cells the person deletes. */
  watch(): void {
    this._session.document.model?.cells.changed.connect(() => {
      clearTimeout(this._check);
      this._check = window.setTimeout(() => this._tellRemoved(), REMOVAL_CHECK_MS);
    });
  }

  /** The kernel is gone: its cells are ordinary cells now. */
  forget(): void {
    this._known.clear();
    for (const cellId of this._writing) {
      this._session.document.render(cellId);
    }
    this._writing.clear();
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._check);
    this._known.clear();
    this._writing.clear();
  }

  handle(message: RunMessage): void {
    if (message.type === 'run_start') {
      return this._onRunStart(message);
    }
    if (message.type === 'show') {
      return showBranch(this._session, message);
    }
    const { runs } = this._session;
    const run = runs.get(message.run_id);
    if (!run) {
      return;
    }
    switch (message.type) {
      case 'status': {
        const { state, text, turn, steers } = message;
        return runs.update(run, { state, text, turn: turn ?? run.turn, steers: steers ?? run.steers });
      }
      case 'waiting':
        return runs.update(run, { waiting: message.waiting });
      case 'run_end':
        return this._onRunEnd(run, message);
      default:
        // Where another page owns the document its changes come through the shared document.
        if (this._session.mayChange(run.owner)) {
          this._onCell(run, message);
        }
    }
  }

  private _onCell(run: Run, message: RunMessage): void {
    switch (message.type) {
      case 'insert':
        return this._onInsert(run, message);
      case 'append':
        this._session.document.append(message.cell_id, message.pos, message.text);
        if (!this._writing.has(message.cell_id)) {
          // The last of the prose may come after the code has begun.
          this._session.document.render(message.cell_id);
        }
        return this._session.follow.grown(message.cell_id);
      case 'start':
        return this._onStart(message);
      case 'finish':
        return this._onFinish(message);
      case 'stale':
        return markStale(this._session, run, message);
    }
  }

  private _onRunStart(message: MessageOf<'run_start'>): void {
    const { runs, follow } = this._session;
    const run = runs.start(message);
    if (!this._session.mayChange(run.owner)) {
      return;
    }
    this._removeReplaced(run, message.superseded, message.kept ?? []);
    message.kept?.forEach(each => this._renew(run, each));
    if (run.anchorId) {
      follow.begin(run.anchorId);
      this._reattach(run.anchorId, run.anchorMsgId);
    }
  }

  /** Cells of the runs that this one has taken the place of go, but for those that are its own too. */
  private _removeReplaced(run: Run, superseded: string[], own: { cell_id: string }[]): void {
    const dead = new Set(superseded);
    const kept = new Set(own.map(each => each.cell_id));
    this._session.document.remove(cell => {
      const { run_id, anchor } = rlmOf(cell);
      if (!run_id || run_id === run.id || kept.has(cell.id)) {
        return false;
      }
      const gone = dead.has(run_id) || (!!anchor && anchor === run.anchorId);
      if (gone) {
        this._known.delete(cell.id);
        this._writing.delete(cell.id);
      }
      return gone;
    });
  }

  /** A cell of the run that was replaced, which belongs to the new one too: it stays as it is. */
  private _renew(run: Run, { cell_id, node_id, metadata, badge }: Kept): void {
    const { document } = this._session;
    const cell = document.cell(cell_id);
    if (cell) {
      document.annotate(cell_id, { ...metadata.rlm, ...(badge ? { badge } : {}), stale: false, ran: false });
      this._keep(run, { cell_id, node_id, msg_id: null });
    }
  }

  /** These cells go: it is not the person who deletes them. */
  release(cellIds: string[]): void {
    cellIds.forEach(id => this._known.delete(id));
  }

  private _onInsert(run: Run, message: Insert): void {
    const { document, binder, kernel, follow, runs } = this._session;
    document.insert(message);
    this._keep(run, message);
    this._proseDone(message.node_id);
    this._writing.add(message.cell_id);
    if (kernel && message.msg_id && message.cell_type === 'code') {
      binder.bind(kernel, message.cell_id, message.msg_id);
    }
    follow.grown(message.cell_id);
    runs.update(run, {});
  }

  /** The code of a turn begins where its prose ends. */
  private _proseDone(nodeId: string): void {
    for (const cellId of this._writing) {
      if (this._known.get(cellId)?.nodeId === nodeId) {
        this._writing.delete(cellId);
        this._session.document.render(cellId);
      }
    }
  }

  private _onStart(message: MessageOf<'start'>): void {
    const { document, binder, kernel, runs, recordTiming } = this._session;
    this._writing.delete(message.cell_id);
    markWritten(document, message.cell_id);
    const cell = document.codeWidget(message.cell_id);
    if (cell && kernel) {
      void binder.start(kernel, cell, message.msg_id, recordTiming);
    } else {
      binder.drop(message.msg_id);
    }
    const run = runs.get(message.run_id);
    if (run) {
      runs.update(run, {});
    }
  }

  private _onFinish(message: Finish): void {
    const { document, binder, follow } = this._session;
    const msgId = this._known.get(message.cell_id)?.msgId;
    this._writing.delete(message.cell_id);
    this._annotate(message.cell_id, message);
    document.render(message.cell_id);
    if (msgId && message.status === 'aborted') {
      binder.drop(msgId);
    }
    if (msgId && message.status !== 'aborted') {
      setTimeout(() => this._settle(message, msgId), REPLY_GRACE_MS);
    }
    follow.grown(message.cell_id);
  }

  private _onRunEnd(run: Run, message: MessageOf<'run_end'>): void {
    for (const cellId of this._writing) {
      this._session.document.render(cellId);
    }
    this._writing.clear();
    this._session.follow.end(run.anchorId);
    const { outcome, text, limits } = message;
    this._session.runs.end(run, { outcome, text: text ?? run.text, limits: limits ?? [] });
  }

  /** This page came late: bring it up to what has happened. */
  welcome(message: HelloAck): void {
    for (const state of message.runs) {
      const { document, runs } = this._session;
      const anchor = state.anchor_cell_id;
      const run = runs.restore(state);
      if (!anchor || document.indexOf(anchor) < 0 || !this._session.mayChange(run.owner)) {
        continue;
      }
      // A notebook that was not saved since the run began still has the cells it took the place of.
      const unsaved = state.nodes.some(node => document.indexOf(node.cell_id) < 0);
      if (unsaved || run.live) {
        this._removeReplaced(run, [], state.nodes);
      }
      for (const node of state.nodes) {
        this._restore(run, state, node);
      }
      for (const cellId of state.stale ?? []) {
        document.annotate(cellId, { stale: true });
      }
      if (run.live) {
        this._reattach(anchor, run.anchorMsgId);
      } else if (state.outputs?.length && (unsaved || state.unseen)) {
        // Once the answer stands in the notebook it is the person's.
        document.showAnswer(anchor, state.run_id, state.outputs, state.execution_count);
      }
      runs.update(run, {});
    }
  }

  /** Bring one cell up to what the kernel knows of it; what is finished here already is the person's. */
  private _restore(run: Run, state: AckRun, node: AckNode): void {
    const { document, binder, kernel } = this._session;
    const added = document.insert(node, node.source);
    const open = node.status === 'writing' || node.status === 'running';
    const present = document.cell(node.cell_id);
    if (present && rlmOf(present).run_id !== run.id) {
      document.annotate(node.cell_id, node.metadata.rlm);
    }
    this._keep(run, node);
    // While it waits for a decision the person may be editing it.
    const waits = run.waiting.some(each => each.cell_id === node.cell_id);
    if (added || (open && !waits)) {
      document.setSource(node.cell_id, node.source);
    }
    if (node.status !== 'writing') {
      markWritten(document, node.cell_id, node.source);
    }
    const cell = document.codeCell(node.cell_id);
    const bare = cell && cell.outputs.length === 0 && cell.executionCount === null;
    if (cell && (added || node.status === 'running' || (state.live && bare))) {
      cell.trusted = true;
      cell.outputs.fromJSON(node.outputs);
      if (node.execution_count) {
        cell.executionCount = node.execution_count;
      }
    }
    if (open) {
      if (node.status === 'writing') {
        this._writing.add(node.cell_id);
        if (kernel && node.msg_id && node.cell_type === 'code') {
          binder.bind(kernel, node.cell_id, node.msg_id);
        }
      } else if (node.msg_id) {
        this._reattach(node.cell_id, node.msg_id);
      }
    } else {
      this._annotate(node.cell_id, node);
      document.render(node.cell_id);
    }
  }

  private _reattach(cellId: string, msgId: string): void {
    const { document, binder, kernel } = this._session;
    const cell = document.codeWidget(cellId);
    if (cell && kernel) {
      void binder.reattach(kernel, cell, msgId);
    }
  }

  private _annotate(cellId: string, told: Pick<AckNode, 'badge' | 'usage'>): void {
    const fields: CellMetadata = {};
    if (told.badge) {
      fields.badge = told.badge;
    }
    if (told.usage) {
      fields.usage = told.usage;
    }
    if (Object.keys(fields).length) {
      this._session.document.annotate(cellId, fields);
    }
  }

  /** The reply may be lost (a page that came late, a second tab); the cell has ended all the same. */
  private _settle(message: Finish, msgId: string): void {
    const cell = this._isDisposed ? undefined : this._session.document.codeWidget(message.cell_id);
    const ours = cell?.outputArea.future?.msg.header.msg_id === msgId;
    if (cell && ours && cell.model.executionState === 'running') {
      cell.model.executionCount = message.execution_count ?? null;
      cell.model.executionState = 'idle';
    }
  }

  private _keep(run: Run, cell: Pick<Insert, 'cell_id' | 'node_id' | 'msg_id'>): void {
    this._known.set(cell.cell_id, {
      runId: run.id,
      nodeId: cell.node_id,
      msgId: cell.msg_id ?? null
    });
  }

  private _tellRemoved(): void {
    const { document, runs } = this._session;
    if (this._isDisposed || !document.model) {
      return;
    }
    const present = new Set(document.cells().map(cell => cell.id));
    for (const [cellId, known] of [...this._known]) {
      if (present.has(cellId)) {
        continue;
      }
      this._known.delete(cellId);
      this._writing.delete(cellId);
      const run = runs.get(known.runId);
      if (run && this._session.mayChange(run.owner)) {
        this._session.send({
          type: 'cell_removed',
          run_id: known.runId,
          node_id: known.nodeId,
          cell_id: cellId
        });
      }
    }
  }

  private _known = new Map<string, Known>();
  private _writing = new Set<string>();
  private _check = 0;
  private _isDisposed = false;
}
