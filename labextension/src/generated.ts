// Made by labextension/generate_types.py from the Python types; do not edit.
/* eslint-disable max-lines */

import type { IOutput } from '@jupyterlab/nbformat';

export type CellStatus = 'writing' | 'running' | 'ok' | 'error' | 'stopped' | 'died' | 'aborted';

export type RunState = 'running' | 'paused' | 'stopping' | 'ended';

/** `Usage` as JSON; `cost_usd` is null where it is unknown. */
export type UsageDict = {
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  calls: number;
  cost_usd: number | null;
  seconds: number;
  estimated: boolean;
};

/** What marks a cell as the model's, under `metadata.rlm`; see docs/protocol.md. */
export type RlmMetadata = {
  run_id: string;
  node_id: string;
  /** The cell's own id: a copy of it has another, and is the person's. */
  cell_id: string;
  anchor: string | null;
  depth: number;
  author: 'model';
  model: string | null;
  part: string;
  turn: number;
  badge?: string;
  usage?: UsageDict;
  /** The node of another branch whose reply and output this turn has taken over. */
  kept?: string;
};

/** A model cell's metadata. */
export type CellMetadata = {
  rlm: RlmMetadata;
};

/** Fields of `insert`. */
export type Insert = {
  node_id: string;
  cell_id: string;
  after: string[];
  cell_type: 'code' | 'markdown';
  depth: number;
  msg_id: string | null;
  metadata: CellMetadata;
};

/** An entry of `nodes[]` in a `hello_ack`. */
export type AckNode = {
  node_id: string;
  cell_id: string;
  after: string[];
  cell_type: 'code' | 'markdown';
  depth: number;
  msg_id: string | null;
  metadata: CellMetadata;
  source: string;
  status: CellStatus;
  outputs: IOutput[];
  execution_count: number | null;
  badge: string;
  usage: UsageDict | null;
};

/** One thing in a cell that a person may want to look at first. */
export type ReasonDict = {
  /** Of the cell, from 1 on. */
  line: number;
  /** In plain words: `writes a file`. */
  why: string;
  /** The expression, in short. */
  code: string;
};

/** What a fan-out is expected to take, before anything is reserved for it. */
export type CallsQuoteDict = {
  /** All of them. */
  calls: number;
  /** Those whose replies are in the memo: nothing is asked or paid for them. */
  cached: number;
  /** Sent and received, of those that must be asked; null where it cannot be told. */
  tokens: number | null;
  /** US dollars for those; null where it is unknown. */
  cost_usd: number | null;
  model: string;
  /** `llm`: calls. `rlm`: child runs, each of which makes calls of its own. */
  kind: 'llm' | 'rlm';
};

/** Something that waits for a person's decision. */
export type WaitingDict = {
  id: string;
  /** The turn whose cell it is, or whose cell makes the calls. */
  node_id: string;
  /** The cell of that turn; of a child run's turn no page has one. */
  cell_id: string | null;
  kind: 'cell' | 'calls';
  /** The cell. */
  code: string;
  /** What the cell does beyond computing, as far as that can be seen in it. */
  reasons: ReasonDict[];
  /** With `calls`. */
  quote: CallsQuoteDict | null;
};

/** How far one limit of the run that lasts is used. */
export type MeterDict = {
  kind: string;
  used: number;
  limit: number;
  /** What is left, for people: `$0.41 of $1.00`. */
  text: string;
};

/** An entry of `runs[]` in a `hello_ack`. */
export type AckRun = {
  run_id: string;
  anchor_cell_id: string | null;
  anchor_msg_id: string;
  owner: string;
  live: boolean;
  state: RunState;
  text: string;
  nodes: AckNode[];
  outputs: IOutput[];
  execution_count: number;
  /** What waits for the person's decision now. */
  waiting: WaitingDict[];
  /** Cells whose state was changed above them. */
  stale: string[];
  /** Whether it ended while no page was connected: then the page shows `outputs` in any case. */
  unseen?: boolean;
  /** Messages of the person that the model has not been told yet. */
  steers?: string[];
  /** Where a limit ended the run: those that were reached. */
  limits?: MeterDict[];
};

/** An entry of `kept[]` in a `run_start`: a cell of the replaced run that belongs to the new one too. */
export type Kept = {
  cell_id: string;
  node_id: string;
  metadata: CellMetadata;
  badge: string;
};

/** Fields of `run_start`. */
export type RunStart = {
  anchor_cell_id: string | null;
  anchor_msg_id: string;
  owner: string;
  superseded: string[];
  kept: Kept[];
};

/** What a page that comes late must know. */
export type HelloAck = {
  type: 'hello_ack';
  protocol: number;
  runs: AckRun[];
  panel: string | null;
  /** Names of models that can be asked, to choose from. */
  models?: string[];
  /** Cells whose effect on Python's state was undone. */
  undone?: string[];
};

/** Fields of `append`. */
export type Append = {
  cell_id: string;
  /** In UTF-16 units. */
  pos: number;
  text: string;
};

/** Fields of `start`. */
export type Start = {
  cell_id: string;
  msg_id: string;
};

/** Fields of `finish`. */
export type Finish = {
  cell_id: string;
  status: CellStatus;
  execution_count: number | null;
  usage: UsageDict;
  badge: string;
};

/** Fields of `status`. */
export type StatusLine = {
  state: RunState;
  text: string;
  turn: number;
  usage: UsageDict;
  /** Messages of the person that the model has not been told yet. */
  steers?: string[];
};

export type Outcome = 'answered' | 'limit' | 'failed' | 'stopped';

/** Fields of `run_end`. */
export type RunEnd = {
  outcome: Outcome | null;
  execution_count: number;
  usage: UsageDict;
  text: string;
  /** Where a limit ended the run: those that were reached, to be raised. */
  limits?: MeterDict[];
};

/** `dock`: show this widget in the sidebar. */
export type Dock = {
  type: 'dock';
  model_id: string;
};

export type EditKind = 'again' | 'prompt' | 'reply' | 'code' | 'model' | 'hint' | 'continue';

/** An `Edit` as JSON: in the panel, in the page, on the command line and in the trace. */
export type EditDict = {
  kind?: EditKind;
  text?: string;
  model?: string | null;
  anyway?: boolean;
};

/** `metadata.rlm_go` of an execute request of a `%%rlm` cell: what is to be done in place of asking anew. */
export type GoDict = {
  how?: 'rerun' | 'continue';
  /** Rerun: which node is edited. */
  node_id?: string;
  edit?: EditDict;
  /** Continue: which run; empty for the last one. */
  run_id?: string;
  /** Limits that hold from now on, by the names of `rlm_kernel.usage.Limits`. */
  limits?: Record<string, number | number>;
};

/** Fields of `go`: the page runs this cell with this as its `metadata.rlm_go`. */
export type Go = {
  anchor_cell_id: string | null;
  go: GoDict;
  /** What to write into a new cell where the anchor is gone. */
  line: string;
};

export type Restore = 'checkpoint' | 'replay' | 'present' | 'start';

/** What a re-run will do, said before it is done. */
export type QuoteDict = {
  node_id: string;
  edit: EditDict;
  /** Turns before it, which are neither asked nor run. */
  kept_turns: number;
  /** How Python gets back: a checkpoint, cells run again, not at all (`present`), or from nothing (`start`). */
  restore: Restore;
  /** Cells that run again only to restore the state; their model calls are answered from the trace. */
  replay_cells: number;
  /** Cells that are certain to run. */
  cells_again: number;
  /** Calls and child runs of the turn that runs again whose replies are taken over. */
  calls_reused: number;
  /** Requests that are certain to be made. */
  calls_new: number;
  /** What these will cost; `None`: not known. */
  cost_usd: number | null;
  cost_known: boolean;
  /** Turns after it in the original run: asked again where what the model was told has changed. */
  later_turns: number;
  later_cost_usd: number | null;
  /** For a person, one to four lines. */
  text: string;
};

/** `quoted`: what an edit would run again. */
export type Quoted = {
  type: 'quoted';
  ask_id: string;
  quote: QuoteDict;
};

/** `problem`: what the page asked for cannot be done. */
export type Problem = {
  type: 'problem';
  /** Of the question it answers; empty where it answers none. */
  ask_id: string;
  text: string;
  remedy: string;
  /**
   * What the page may offer then: `undo` of `cell_id` with `replay`, or the re-run of `node_id` with
   * `anyway`.
   */
  offer?: 'undo' | 'anyway';
  cell_id?: string;
  node_id?: string;
  edit?: EditDict;
};

/** One cell, as a notebook file has it. */
export type CellDict = {
  cell_type: 'code' | 'markdown';
  id: string;
  metadata: Record<string, unknown>;
  source: string;
  outputs?: IOutput[];
  execution_count?: number | null;
};

/** Fields of `show`: these cells and outputs take the place of those the question shows now. */
export type Show = {
  anchor_cell_id: string | null;
  execution_count: number | null;
  outputs: IOutput[];
  cells: CellDict[];
  /** Whether Python's state is that of this run too, for people. */
  text: string;
};

/** Fields of `stale`: from now on these cells of the run, and no others, are marked. */
export type Stale = {
  cell_ids: string[];
  /** The cell that was edited: it offers *Continue from here*. */
  edited_cell_id: string;
  edited_node_id: string;
};

/** Fields of `waiting`: all that waits for a decision now. */
export type Waiting = {
  waiting: WaitingDict[];
};

/** `undone`: Python's state is back to before a cell. */
export type Undone = {
  type: 'undone';
  /** Cells whose effect on Python's state is gone. */
  cell_ids: string[];
  text: string;
};

/** `jump`: scroll to this cell and select it. */
export type Jump = {
  type: 'jump';
  cell_id: string;
};

/** The messages about a run by their `type`: besides these fields they have `run_id` and `seq`. */
export type RunMessages = {
  run_start: RunStart;
  insert: Insert;
  append: Append;
  start: Start;
  finish: Finish;
  status: StatusLine;
  run_end: RunEnd;
  waiting: Waiting;
  stale: Stale;
  show: Show;
  go: Go;
};

/** The messages that are about no run. */
export type KernelMessage = HelloAck | Dock | Quoted | Problem | Undone | Jump;

/** `hello`: what a page says first. */
export type HelloDict = {
  type: 'hello';
  protocol: number;
  client_id: string;
  path: string;
  rtc: boolean;
};

/** Pause, resume, step, stop. */
export type SteeringDict = {
  type: 'pause' | 'resume' | 'step' | 'stop';
  run_id: string;
};

/** `cell_removed`: the person deleted a cell of the model. */
export type CellRemovedDict = {
  type: 'cell_removed';
  run_id: string;
  node_id: string;
  cell_id: string;
};

/** `quote`: what would this edit run again, and cost? */
export type QuoteRequestDict = {
  type: 'quote';
  ask_id: string;
  node_id: string;
  edit: EditDict;
};

export type Verdict = 'approve' | 'reject' | 'always' | 'first';

/** What a person decides. */
export type DecisionDict = {
  /**
   * `always`: this one, and everything of its kind until the question is answered. `first`: only the first
   * `first` of the calls.
   */
  verdict: Verdict;
  /** With `approve` and `always` of a cell: the cell as the person changed it. */
  source?: string;
  /** With `reject`: told to the model. */
  reason?: string;
  first?: number;
};

/** `decision`: the person's word on what waits. */
export type DecisionRequestDict = {
  type: 'decision';
  id: string;
  decision: DecisionDict;
};

/** `steer`: a message to the model, delivered with its next turn. */
export type SteerDict = {
  type: 'steer';
  run_id: string;
  text: string;
};

/** `undo`: put Python's state back to before this cell. */
export type UndoDict = {
  type: 'undo';
  cell_id: string;
  /** Where there is no checkpoint, the cells before it may be run again. */
  replay?: boolean;
};

/** `switch`: show this branch. */
export type SwitchDict = {
  type: 'switch';
  run_id: string;
};

/** `passage`: show in the panel what a citation stands for. */
export type PassageRequestDict = {
  type: 'passage';
  run_id: string;
  /** Which citation of the run's answer, from 0 on. */
  number: number;
};

/** `panel`: show the panel beside this page. */
export type PanelRequestDict = {
  type: 'panel';
};

export type PageMessage =
  | HelloDict
  | SteeringDict
  | CellRemovedDict
  | QuoteRequestDict
  | DecisionRequestDict
  | SteerDict
  | UndoDict
  | SwitchDict
  | PassageRequestDict
  | PanelRequestDict;

/** The value of an `application/vnd.rlm.run+json` output. */
export type RunPayload = {
  version: number;
  run_id: string;
  anchor: string | null;
  execution_count: number | null;
  outputs: IOutput[];
  cells: CellDict[];
};
