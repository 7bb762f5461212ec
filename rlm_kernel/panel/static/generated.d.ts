// Made by labextension/generate_types.py from the Python types; do not edit.

/** The long texts of a node. */
export type TextPart = 'prompt' | 'reply' | 'code' | 'output' | 'error';

export type Command = 'pause' | 'resume' | 'step' | 'stop';

export type Form = 'markdown' | 'json';

/** How far one limit of the run that lasts is used. */
export type MeterDict = {
  kind: string;
  used: number;
  limit: number;
  /** What is left, for people: `$0.41 of $1.00`. */
  text: string;
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

/** What the control says of itself, and what waits for the person. */
export type ControlDict = {
  state: string;
  waits_for: string;
  waiting: WaitingDict[];
  /** Messages to the model that were not delivered yet. */
  steers: string[];
  limits: MeterDict[];
};

/** Many `NodeSummary` rows without their names: about a third of the size. */
export type PackedRows = {
  keys: string[];
  usage_keys: string[];
  /**
   * Values in the order of `keys`; `usage` and `total` are lists in the order of `usage_keys`, and `total`
   * is null where it equals `usage`.
   */
  rows: unknown[][];
};

export type Kind = 'run' | 'turn' | 'call';

export type Status = 'pending' | 'running' | 'paused' | 'done' | 'failed' | 'stopped';

export type Outcome = 'answered' | 'limit' | 'failed' | 'stopped';

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

/** How a branch came to be; stands in the details of its run. */
export type BranchMark = {
  /** The run it came of. */
  of: string;
  /** The node that was changed. */
  at: string;
  /** How (see `rlm_kernel.engine.edits.EditDict`). */
  edit: Record<string, unknown>;
  /** Given by the person; empty where none was. */
  name: string;
};

/** A node without its texts: what a row of the tree shows. */
export type NodeSummary = {
  id: string;
  run_id: string;
  parent_id: string | null;
  kind: Kind;
  label: string;
  status: Status;
  outcome: Outcome | null;
  model: string | null;
  batch: string | null;
  cached: boolean;
  error: string | null;
  started: number | null;
  ended: number | null;
  cell_id: string | null;
  execution_count: number | null;
  usage: UsageDict;
  total: UsageDict;
  /** Its state has changed since: a cell above it was edited and run. */
  stale: boolean;
  /** Run: of which it is a branch. */
  branch: BranchMark | null;
  /** The node of another run that it was taken over from: it was neither asked nor run. */
  kept: string | null;
  /** Call: the line of the cell that made it, from 1 on. */
  line: number | null;
  /** Call: the how-many-th of that line in its cell, from 1 on. */
  index: number | null;
};

/** Rows that changed; at most twenty messages a second. */
export type DeltaMessage = {
  kind: 'delta';
  nodes: NodeSummary[];
  removed: string[];
  control: ControlDict;
  /** Names of the models there are, where they are new. */
  models?: string[];
  /** The kernel's clock, in seconds since the epoch; a page's clock may stand elsewhere. */
  now: number;
};

/** Rows of everything there is, in several parts: the answer to `ready`. */
export type SnapshotMessage = {
  kind: 'snapshot';
  /** The view that asked; others ignore it. */
  view: string;
  /** From 0 on. */
  part: number;
  parts: number;
  rows: PackedRows;
  control: ControlDict;
  models: string[];
  now: number;
};

/** One message that a model was sent. */
export type ChatMessage = {
  role: string;
  content: string;
};

/** Where a call was made. */
export type WhereDict = {
  cell_id: string | null;
  /** Of the cell, from 1 on. */
  line: number;
  /** The how-many-th call of that line in its cell, from 1 on. */
  index: number;
  /** How many calls that line has made so far. */
  count: number;
};

/** `Attempt` as JSON. */
export type AttemptDict = {
  started: number;
  seconds: number;
  error: string | null;
  status: number | null;
};

/** The texts of a node as a detail shows them: each cut to its first 100,000 characters. */
export type DetailTexts = {
  id: string;
  prompt: string;
  reply: string;
  code: string;
  output: string;
  error: string | null;
  remedy: string;
  attempts: AttemptDict[];
  /** Turns and calls: what the model was sent, as far as it can be told from the tree; cut like the texts. */
  messages: ChatMessage[];
  where: WhereDict | null;
  /** What else is known of the node: how a branch was made, what the model was told beside the cell's output. */
  details: Record<string, unknown>;
  /** Characters of the whole text, by part, for those that were cut; ask `piece` for the rest. */
  sizes: Record<string, number>;
};

/** The answer to `detail`. */
export type DetailMessage = {
  kind: 'detail';
  texts: DetailTexts;
};

/** A piece of a text: of the watched node as it grows, or the answer to `piece`. */
export type TextMessage = {
  kind: 'text';
  node_id: string;
  part: TextPart;
  /** Where the piece stands; what was known from there on is replaced. */
  pos: number;
  text: string;
  /** Characters of the whole text now. */
  total: number;
};

export type EditKind = 'again' | 'prompt' | 'reply' | 'code' | 'model' | 'hint' | 'continue';

/** An `Edit` as JSON: in the panel, in the page, on the command line and in the trace. */
export type EditDict = {
  kind?: EditKind;
  text?: string;
  model?: string | null;
  anyway?: boolean;
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

/** The answer to `quote`. */
export type QuotedMessage = {
  kind: 'quoted';
  quote: QuoteDict;
};

/** Something that was asked for cannot be done. */
export type ProblemMessage = {
  kind: 'problem';
  text: string;
  remedy: string;
  /** The node it is about. */
  about: string | null;
};

/** One run of a family: the run that was asked first, or one that came of a change. */
export type BranchDict = {
  id: string;
  /** The run it came of; `None` for the trunk. */
  of: string | null;
  /** The node that was changed. */
  at: string | null;
  edit: EditDict | null;
  /** Given by the person; else what was changed, in a few words. */
  name: string;
  /** Whether the person gave the name. */
  named: boolean;
  /** First words of the question. */
  label: string;
  outcome: string | null;
  /** Its first words. */
  answer: string;
  /** What this run itself spent; `None`: not known. */
  cost_usd: number | null;
  turns: number;
  /** Of these, taken over from the run it came of. */
  kept: number;
  started: number | null;
  /** Whether Python's state is this run's. */
  current: boolean;
};

/** All runs of a family: the trunk and its branches. */
export type BranchesMessage = {
  kind: 'branches';
  root: string;
  branches: BranchDict[];
};

/** One of two runs that are compared. */
export type SideDict = {
  id: string;
  question: string;
  model: string | null;
  outcome: string | null;
  answer: string;
  error: string | null;
  /** Of the run with everything below it. */
  usage: UsageDict;
  turns: number;
};

/** A turn of one of the two. */
export type TurnSideDict = {
  id: string;
  code: string;
  output: string;
  reply: string;
  /** With its calls. */
  cost: UsageDict;
  calls: number;
};

/** The same turn in both; `None` where a run has no such turn. */
export type TurnPairDict = {
  turn: number;
  /** Whether cell and output are the same. */
  same: boolean;
  a: TurnSideDict | null;
  b: TurnSideDict | null;
};

/** Two runs side by side. */
export type CompareDict = {
  a: SideDict;
  b: SideDict;
  turns: TurnPairDict[];
};

/** Two branches side by side. */
export type ComparedMessage = {
  kind: 'compared';
  comparison: CompareDict;
};

/** The answer to `find`. */
export type FoundMessage = {
  kind: 'found';
  text: string;
  ids: string[];
};

/** The answer to `export`, in several parts. */
export type ExportedMessage = {
  kind: 'exported';
  view: string;
  id: string;
  form: Form;
  part: number;
  parts: number;
  text: string;
};

/** Something went well that a person wants to know of. */
export type ToldMessage = {
  kind: 'told';
  text: string;
};

export type ToView =
  | DeltaMessage
  | SnapshotMessage
  | DetailMessage
  | TextMessage
  | QuotedMessage
  | ProblemMessage
  | BranchesMessage
  | ComparedMessage
  | FoundMessage
  | ExportedMessage
  | ToldMessage;

/** A view listens now: send everything. */
export type ReadyMessage = {
  kind: 'ready';
  view: string;
};

/** Is anybody there? Answered with a delta, which may be empty. */
export type AliveMessage = {
  kind: 'alive';
};

/** Send the texts of a node. */
export type DetailRequest = {
  kind: 'detail';
  id: string;
};

/** Send more of a long text. */
export type PieceRequest = {
  kind: 'piece';
  id: string;
  part: TextPart;
  pos: number;
};

/** Stream the texts of this node as they grow; none for null. */
export type WatchMessage = {
  kind: 'watch';
  id: string | null;
  view: string;
};

/** Pause, resume, step or stop. */
export type CommandMessage = {
  kind: 'command';
  name: Command;
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

/** A person's decision on what waits at the gate. */
export type DecideMessage = {
  kind: 'decide';
  id: string;
  decision: DecisionDict;
};

/** Tell the model something with its next turn. */
export type SteerMessage = {
  kind: 'steer';
  text: string;
};

/** What would this edit run again, and cost? */
export type QuoteRequest = {
  kind: 'quote';
  id: string;
  edit: EditDict;
};

/** Run again from a node, with an edit. */
export type RerunMessage = {
  kind: 'rerun';
  id: string;
  edit: EditDict;
};

/** Go on with a run that a limit ended, with other limits. */
export type RaiseMessage = {
  kind: 'raise';
  run_id: string;
  limits: Record<string, number | number>;
};

/** Do something with a branch; `compare` needs the other one in `with`, `name` its new name. */
export type BranchMessage = {
  kind: 'branch';
  do: 'switch' | 'name' | 'delete' | 'compare';
  id: string;
  name?: string;
  with?: string;
};

/** Which runs belong together with this one? */
export type BranchesRequest = {
  kind: 'branches';
  root: string;
};

/** Show a cell of the notebook. */
export type JumpMessage = {
  kind: 'jump';
  cell_id: string;
};

/** Put Python back to just before a cell. */
export type UndoMessage = {
  kind: 'undo';
  cell_id: string;
};

/** In which nodes do the long texts contain this? */
export type FindMessage = {
  kind: 'find';
  text: string;
};

/** Give a node as a document: with everything below it, or alone. */
export type ExportMessage = {
  kind: 'export';
  view: string;
  id: string;
  form: Form;
  below: boolean;
};

export type FromView =
  | ReadyMessage
  | AliveMessage
  | DetailRequest
  | PieceRequest
  | WatchMessage
  | CommandMessage
  | DecideMessage
  | SteerMessage
  | QuoteRequest
  | RerunMessage
  | RaiseMessage
  | BranchMessage
  | BranchesRequest
  | JumpMessage
  | UndoMessage
  | FindMessage
  | ExportMessage;
