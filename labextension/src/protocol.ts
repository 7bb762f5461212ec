/**
 * The messages of docs/protocol.md as types. The kernel's side is rlm_kernel/kernel/livecells.py.
 */

import type { IOutput } from '@jupyterlab/nbformat';
import type { JSONObject, PartialJSONObject } from '@lumino/coreutils';

export const PROTOCOL = 1;
export const COMM_TARGET = 'rlm.lab';
export const RUN_MIME = 'application/vnd.rlm.run+json';

/** What was spent; `cost_usd` is null where it is unknown. */
export interface Usage extends PartialJSONObject {
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  calls: number;
  cost_usd: number | null;
  seconds: number;
  estimated: boolean;
}

/** `metadata.rlm` of a model's cell. */
export interface CellMetadata extends PartialJSONObject {
  run_id?: string;
  node_id?: string;
  /** The cell's own id. */
  cell_id?: string;
  anchor?: string;
  depth?: number;
  author?: string;
  model?: string;
  part?: 'prose' | 'code';
  turn?: number;
  badge?: string;
  usage?: Usage;
  /** On the `%%rlm` cell: its working is folded away. */
  folded?: boolean;
}

export type RunStatus = 'running' | 'paused' | 'stopping' | 'ended';
export type CellStatus = 'writing' | 'running' | 'ok' | 'error' | 'stopped' | 'died' | 'aborted';

export interface Insert {
  type: 'insert';
  run_id: string;
  node_id: string;
  cell_id: string;
  after: string[];
  cell_type: 'code' | 'markdown' | 'raw';
  depth: number;
  msg_id?: string | null;
  metadata: { rlm?: CellMetadata };
}

export interface RunStart {
  type: 'run_start';
  run_id: string;
  anchor_cell_id: string | null;
  anchor_msg_id: string;
  owner: string;
  superseded: string[];
}

export interface Append {
  type: 'append';
  run_id: string;
  cell_id: string;
  pos: number;
  text: string;
}

export interface Start {
  type: 'start';
  run_id: string;
  cell_id: string;
  msg_id: string;
}

export interface Finish {
  type: 'finish';
  run_id: string;
  cell_id: string;
  status: CellStatus;
  execution_count?: number | null;
  usage?: Usage | null;
  badge?: string | null;
}

export interface Status {
  type: 'status';
  run_id: string;
  state: RunStatus;
  text: string;
  turn?: number | null;
  usage?: Usage | null;
}

export interface RunEnd {
  type: 'run_end';
  run_id: string;
  outcome: 'answered' | 'limit' | 'failed' | 'stopped';
  execution_count?: number | null;
  usage?: Usage | null;
  text?: string;
}

export interface Dock {
  type: 'dock';
  model_id: string;
}

/** One cell of a run, as a page that comes late is told of it. */
export interface NodeState extends Omit<Insert, 'type' | 'run_id'> {
  source: string;
  status: CellStatus;
  outputs: IOutput[];
  execution_count?: number | null;
  badge?: string | null;
  usage?: Usage | null;
}

export interface RunState {
  run_id: string;
  anchor_cell_id: string | null;
  anchor_msg_id: string;
  owner: string;
  live: boolean;
  state: RunStatus;
  text: string;
  nodes: NodeState[];
  /** The answer, where the run ended while no page was there to see it. */
  outputs?: IOutput[];
  execution_count?: number | null;
}

export interface HelloAck {
  type: 'hello_ack';
  protocol: number;
  runs: RunState[];
  panel: string | null;
}

export type FromKernel = HelloAck | RunStart | Insert | Append | Start | Finish | Status | RunEnd | Dock;

export type ToKernel =
  | { type: 'hello'; protocol: number; client_id: string; path: string; rtc: boolean }
  | { type: Steering; run_id: string }
  | { type: 'cell_removed'; run_id: string; node_id: string; cell_id: string };

export type Steering = 'pause' | 'resume' | 'step' | 'stop';

const TYPES: ReadonlySet<string> = new Set([
  'hello_ack',
  'run_start',
  'insert',
  'append',
  'start',
  'finish',
  'status',
  'run_end',
  'dock'
]);

/**
 * A message of the kernel, or null for a type of a later version of the protocol.
 */
export function parse(data: unknown): FromKernel | null {
  const type = (data as { type?: unknown } | null)?.type;
  return typeof type === 'string' && TYPES.has(type) ? (data as FromKernel) : null;
}

/** A run carried as one output, for pages and tools without live cells. */
export interface RunOutput extends JSONObject {
  version: number;
  run_id: string;
  anchor: string | null;
  execution_count: number | null;
  outputs: JSONObject[];
  cells: JSONObject[];
}
