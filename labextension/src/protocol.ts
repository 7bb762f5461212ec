/**
 * The messages of docs/protocol.md. Their types are made from the kernel's, in generated.ts.
 */

import type { KernelMessage, PageMessage, RlmMetadata, RunMessages, RunPayload, SteeringDict } from './generated';

export type {
  AckNode,
  AckRun,
  CellDict,
  DecisionDict,
  EditDict,
  EditKind,
  Finish,
  Go,
  GoDict,
  HelloAck,
  Insert,
  Kept,
  MeterDict,
  Outcome,
  Problem,
  QuoteDict,
  RunState,
  Undone,
  WaitingDict
} from './generated';

export const PROTOCOL = 1;
export const COMM_TARGET = 'rlm.lab';
export const RUN_MIME = 'application/vnd.rlm.run+json';

/** `metadata.rlm` of a cell: what the kernel says of a model's cell, and what the page keeps with it. */
export interface CellMetadata extends Partial<RlmMetadata> {
  /** On the `%%rlm` cell: its working is folded away. */
  folded?: boolean;
  /** A hash of what the model wrote: tells a cell that was edited since. */
  written?: string;
  /** The state was changed above this cell after it ran. */
  stale?: boolean;
  /** The person edited this cell and ran it. */
  ran?: boolean;
}

/** A message about a run. */
export type RunMessage = {
  [Type in keyof RunMessages]: { type: Type; run_id: string } & RunMessages[Type];
}[keyof RunMessages];

export type MessageOf<Type extends keyof RunMessages> = Extract<RunMessage, { type: Type }>;

export type FromKernel = RunMessage | KernelMessage;
export type ToKernel = PageMessage;
export type Steering = SteeringDict['type'];
export type RunOutput = RunPayload;

const TYPES: ReadonlySet<string> = new Set<FromKernel['type']>([
  'hello_ack',
  'dock',
  'quoted',
  'problem',
  'undone',
  'jump',
  'run_start',
  'insert',
  'append',
  'start',
  'finish',
  'status',
  'run_end',
  'waiting',
  'stale',
  'show',
  'go'
]);

/**
 * A message of the kernel, or null for a type of a later version of the protocol.
 */
export function parse(data: unknown): FromKernel | null {
  const type = (data as { type?: unknown } | null)?.type;
  return typeof type === 'string' && TYPES.has(type) ? (data as FromKernel) : null;
}
