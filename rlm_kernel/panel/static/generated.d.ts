// Made by labextension/generate_types.py from the Python types; do not edit.

/** The long texts of a node. */
export type TextPart = 'prompt' | 'reply' | 'code' | 'output' | 'error';

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
  /** Run: the one it goes on with, which ended before there was an answer. */
  continues: string | null;
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
  /** Grows by one with each: a view that misses one, as Jupyter drops messages beside large outputs, asks for all. */
  seq: number;
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

export type CiteKind = 'quotation' | 'page' | 'line' | 'section';

export type Found = 'found' | 'differs' | 'not found';

/** A citation of a run's answer, as a list shows it. */
export type CitedDict = {
  kind: CiteKind;
  /** As the answer has it, cut to its first 300 characters. */
  text: string;
  status: Found;
  where: string;
  difference: string;
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
  /** Questions: what the answer cites, looked up; `passage` shows one. */
  citations: CitedDict[];
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

/** Where a part of a text begins. */
export type LandmarkDict = {
  /** In characters. */
  start: number;
  kind: 'file' | 'section' | 'page';
  /** For people: `p. 12`, `§ Costs`, the name of a file. */
  label: string;
};

/** Which parts of the context the calls of a question have read, for a picture of it. */
export type CoverageShown = {
  /** Characters of the context; 0: it is no text. */
  length: number;
  /** How much of it was read, from 0 to 1. */
  share: number;
  /** Calls that read any of it. */
  calls: number;
  /** For each of so many equal parts of the context, how much of it was read, from 0 to 1. */
  strip: number[];
  name: string;
  landmarks: LandmarkDict[];
};

/** The answer to `coverage`. */
export type CoverageMessage = {
  kind: 'coverage';
  view: string;
  id: string;
  of: string | null;
  batch: string | null;
  coverage: CoverageShown | null;
  /** The same picture of what the node `of` has read; empty where it was not asked for, or has read nothing. */
  own: number[];
  own_share: number;
  /** How much was read, or why that cannot be told, for people. */
  text: string;
};

/** The answer to `readers`. */
export type ReadersMessage = {
  kind: 'readers';
  view: string;
  id: string;
  start: number;
  end: number;
  /** Calls that read any of it, in the order of the document; at most 500. */
  ids: string[];
  count: number;
  /** Whether all there are, are known. */
  complete: boolean;
};

/** One quotation or reference of an answer, looked up. */
export type CitationDict = {
  kind: CiteKind;
  /** As the answer has it. */
  text: string;
  /** Where it stands in the answer, in characters, its marks included. */
  start: number;
  end: number;
  status: Found;
  /** Start and end of the passage in the document, in characters; empty where there is none. */
  place: number[];
  /** Which of several documents; empty where there is one. */
  source: string;
  /** The place for people: `report.pdf, p. 12`. */
  where: string;
  /** What stands there; empty where there is nothing. */
  passage: string;
  /** What is different, or why it was not found, in words; empty where it was found as it stands. */
  difference: string;
};

/**
 * `there`: as it stands in the context now. `changed`: the context is another one. `gone`: there is none, or it
 * cannot be looked at. `nowhere`: what is cited is not in the document.
 */
export type PassageState = 'there' | 'changed' | 'gone' | 'nowhere';

/** A passage with what stands around it, to be shown. */
export type PassageDict = {
  where: string;
  before: string;
  passage: string;
  /** Characters at the end of the passage that are not given: it is too long. */
  left_out: number;
  after: string;
  start: number;
  end: number;
  /** Characters of the whole document. */
  length: number;
  source: string;
};

/** A passage: the answer to `passage`, or one that a person has clicked in the notebook. */
export type PassageMessage = {
  kind: 'passage';
  /** The view that asked; without it, all show it. */
  view?: string;
  id: string;
  /** Which citation of the answer, from 0 on; null: it is a part of the context that was chosen in its picture. */
  number: number | null;
  /** Citations of the answer. */
  count: number;
  citation: CitationDict | null;
  state: PassageState;
  /** Why it cannot be shown as it stands in the document, for people; empty where it can. */
  text: string;
  passage: PassageDict | null;
  /** Calls that read any of it; at most 500. */
  readers: string[];
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
  | CoverageMessage
  | ReadersMessage
  | PassageMessage
  | ToldMessage;

export type Command = 'pause' | 'resume' | 'step' | 'stop';

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

/** What have the calls of a question read, and which part of it a node of the question? */
export type CoverageRequest = {
  kind: 'coverage';
  view: string;
  /** The question. */
  id: string;
  of: string | null;
  /** Only the calls of this batch right below the node `of`. */
  batch: string | null;
};

/** Which calls of a question have read this part of the context? */
export type ReadersRequest = {
  kind: 'readers';
  view: string;
  id: string;
  start: number;
  end: number;
};

/** Show a citation (`number`), or a part of the context (`start` and `end`). */
export type PassageRequest = {
  kind: 'passage';
  view: string;
  /** The question. */
  id: string;
  number?: number;
  start?: number;
  end?: number;
  /** Characters that are wanted before and behind it, at most 20,000. */
  around?: number;
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
  | ExportMessage
  | CoverageRequest
  | ReadersRequest
  | PassageRequest;
