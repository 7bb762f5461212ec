/**
 * The runs a page knows of: what the kernel told, or what the metadata of saved cells says.
 */

import { ISignal, Signal } from '@lumino/signaling';

import type { AckRun, MessageOf, MeterDict, Outcome, RunState, WaitingDict } from './protocol';

export interface Run {
  readonly id: string;
  readonly anchorId: string | null;
  readonly anchorMsgId: string;
  /** The client that may change a shared document. */
  owner: string;
  live: boolean;
  state: RunState;
  text: string;
  turn: number | null;
  /** How it ended, where this page saw the end. */
  outcome: Outcome | null;
  /** What waits for the person's decision. */
  waiting: WaitingDict[];
  /** What the person told the model, and it has not heard yet. */
  steers: string[];
  /** Limits that ended it. */
  limits: MeterDict[];
}

type Change = Partial<Omit<Run, 'id' | 'anchorId' | 'anchorMsgId'>>;

/**
 * Runs by id and by the `%%rlm` cell they belong to. Does not touch the document.
 */
export class Runs {
  /** Something about a run changed that people can see. */
  get changed(): ISignal<this, Run> {
    return this._changed;
  }

  get(runId: string): Run | undefined {
    return this._byId.get(runId);
  }

  /** The newest run of a `%%rlm` cell. */
  ofAnchor(cellId: string): Run | undefined {
    return [...this._byId.values()].reverse().find(run => run.anchorId === cellId);
  }

  /** The run that lasts, if one does; a kernel has one at a time. */
  get live(): Run | undefined {
    return [...this._byId.values()].reverse().find(run => run.live);
  }

  /** Everything that waits for a decision, with its run. */
  waiting(): { run: Run; waits: WaitingDict }[] {
    return [...this._byId.values()].flatMap(run => run.waiting.map(waits => ({ run, waits })));
  }

  start(message: MessageOf<'run_start'>): Run {
    for (const runId of message.superseded) {
      this._byId.delete(runId);
    }
    return this._keep({
      id: message.run_id,
      anchorId: message.anchor_cell_id,
      anchorMsgId: message.anchor_msg_id,
      owner: message.owner,
      live: true,
      state: 'running',
      text: 'starting',
      turn: null,
      outcome: null,
      waiting: [],
      steers: [],
      limits: []
    });
  }

  restore(state: AckRun): Run {
    return this._keep({
      id: state.run_id,
      anchorId: state.anchor_cell_id,
      anchorMsgId: state.anchor_msg_id,
      owner: state.owner,
      live: state.live,
      state: state.live ? state.state : 'ended',
      text: state.text,
      turn: null,
      outcome: null,
      waiting: state.live ? (state.waiting ?? []) : [],
      steers: state.live ? (state.steers ?? []) : [],
      limits: state.live ? [] : (state.limits ?? [])
    });
  }

  /** Another branch is shown at this cell: it stands for the cell from now on. */
  show(runId: string, anchorId: string, text: string, owner: string): Run {
    const known = this._byId.get(runId);
    return this._keep({
      id: runId,
      anchorId,
      anchorMsgId: known?.anchorMsgId ?? '',
      owner: known?.owner ?? owner,
      live: false,
      state: 'ended',
      text,
      turn: null,
      outcome: known?.outcome ?? null,
      waiting: [],
      steers: [],
      limits: known?.limits ?? []
    });
  }

  update(run: Run, change: Change): void {
    Object.assign(run, change);
    this._changed.emit(run);
  }

  /** The run is over. */
  end(run: Run, change: Change): void {
    this.update(run, { ...change, live: false, state: 'ended', waiting: [], steers: [] });
  }

  /** The kernel is gone: whatever ran has ended. */
  endAll(text: string): void {
    for (const run of this._byId.values()) {
      if (run.live) {
        this.end(run, { text });
      }
    }
  }

  private _keep(run: Run): Run {
    // Delete first: the newest run of a cell has to be the last one in the map.
    this._byId.delete(run.id);
    this._byId.set(run.id, run);
    this._changed.emit(run);
    return run;
  }

  private _byId = new Map<string, Run>();
  private _changed = new Signal<this, Run>(this);
}
