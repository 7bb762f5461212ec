/**
 * Running again from a cell of the model. A re-run is an ordinary execution of the `%%rlm` cell with `rlm_go` in its
 * metadata, so that busy, output, input boxes, Stop and reload are those of any question.
 */

import { CodeCell, ICellModel } from '@jupyterlab/cells';
import { PromiseDelegate, UUID } from '@lumino/coreutils';

import { Change, askForChange } from './change';
import { isModelCell, rlmOf } from './document';
import { isEdited } from './marks';
import type { EditDict, Go, GoDict, Problem, QuoteDict } from './protocol';
import { askForLimits } from './raise';
import type { Run } from './runs';
import type { Session } from './session';
import { tell } from './tell';

const ANSWER_MS = 20_000;
const STOP_MS = 30_000;
const POLL_MS = 100;

export type RerunKind = 'again' | 'hint' | 'model' | 'continue';

export class Rerun {
  constructor(private _session: Session) {}

  /** Whether there is something to run again at this cell. */
  fits(cell: ICellModel | undefined): cell is ICellModel {
    return !!cell && isModelCell(cell) && !!rlmOf(cell).node_id && !this._session.live.isWriting(cell.id);
  }

  /** Ask, then run again from this cell. */
  async from(cell: ICellModel, kind: RerunKind): Promise<void> {
    const { node_id, turn, anchor } = rlmOf(cell);
    if (!node_id) {
      return;
    }
    const turnName = turn ? `turn ${turn}` : 'here';
    const titles: Record<RerunKind, string> = {
      again: isEdited(cell) ? `Run again from ${turnName}, with your cell` : `Ask again from ${turnName}`,
      hint: `A hint before ${turnName}`,
      model: `Another model from ${turnName}`,
      continue: `Continue from ${turnName} as you ran it`
    };
    const edit = await askForChange(this._change(node_id, titles[kind], editOf(cell, kind), kind));
    if (edit) {
      await this._run(anchor ?? null, { how: 'rerun', node_id, edit });
    }
  }

  /** Go on with a run that ended before its answer; where a limit ended it, with other limits. */
  async goOn(run: Run): Promise<void> {
    const limits = run.limits.length ? await askForLimits(run.limits, run.text) : {};
    if (limits) {
      await this._run(run.anchorId, { how: 'continue', run_id: run.id, limits }, '%rlm continue');
    }
  }

  /** The panel asked for it. */
  go(message: Go): void {
    this._run(message.anchor_cell_id, message.go, message.line).catch(tellFault);
  }

  /** The kernel could not do what was asked. */
  onProblem(message: Problem): void {
    const asked = this._asked.get(message.ask_id);
    const text = [message.text, message.remedy].filter(part => part).join(' ');
    if (asked) {
      this._asked.delete(message.ask_id);
      asked.reject(new Error(text));
      return;
    }
    const { offer, node_id, edit, cell_id } = message;
    if (offer === 'anyway' && node_id && edit) {
      const anchor = this._anchorOf(node_id);
      const go: GoDict = { how: 'rerun', node_id, edit: { ...edit, anyway: true } };
      tell('warning', text, { label: 'Go on anyway', callback: () => void this._run(anchor, go).catch(tellFault) });
    } else if (offer === 'undo' && cell_id) {
      tell('warning', text, {
        label: 'Run them again',
        callback: () => this._session.send({ type: 'undo', cell_id, replay: true })
      });
    } else {
      tell('error', text);
    }
  }

  onQuoted(askId: string, quote: QuoteDict): void {
    this._asked.get(askId)?.resolve(quote);
    this._asked.delete(askId);
  }

  /** The kernel is gone, and answers nothing. */
  forget(): void {
    this._asked.forEach(asked => asked.reject(new Error('The kernel ended.')));
    this._asked.clear();
  }

  private _change(nodeId: string, title: string, edit: EditDict, kind: RerunKind): Change {
    const asks = kind === 'hint' || kind === 'model' ? kind : undefined;
    const known = this._session.document.cells().map(cell => rlmOf(cell).model ?? '');
    const models = [...new Set([...this._session.models, ...known])].filter(name => name);
    return {
      title,
      edit,
      asks,
      models,
      stops: !!this._session.runs.live,
      quote: changed => this._quote(nodeId, changed)
    };
  }

  private _quote(nodeId: string, edit: EditDict): Promise<QuoteDict> {
    const ask_id = UUID.uuid4();
    const answer = new PromiseDelegate<QuoteDict>();
    if (!this._session.send({ type: 'quote', ask_id, node_id: nodeId, edit })) {
      return Promise.reject(new Error('There is no kernel: start it first.'));
    }
    this._asked.set(ask_id, answer);
    const late = setTimeout(() => answer.reject(new Error('The kernel does not answer.')), ANSWER_MS);
    return answer.promise.finally(() => {
      clearTimeout(late);
      this._asked.delete(ask_id);
    });
  }

  private async _run(anchorId: string | null, go: GoDict, line = lineOf(go)): Promise<void> {
    const { document, panel, recordTiming } = this._session;
    if (!(await this._stopped())) {
      tell('error', 'The run that lasts does not stop. Interrupt the kernel, then try again.');
      return;
    }
    const cellId = anchorId && document.codeCell(anchorId) ? anchorId : document.addLast(line);
    const cell = document.codeWidget(cellId);
    if (!cell || !this._session.kernel) {
      return;
    }
    this._session.undones.remove(cellId);
    await document.reveal(cellId);
    await CodeCell.execute(cell, panel.sessionContext, { rlm_go: { ...go }, recordTiming });
  }

  /** Stop the run that lasts, and wait until its cell is done: what is queued behind a stopped cell is dropped. */
  private async _stopped(): Promise<boolean> {
    const { runs, document } = this._session;
    const run = runs.live;
    const busy = () =>
      !!runs.live || document.codeCell(run?.anchorId ?? '')?.executionState === 'running' || this._session.isBusy;
    if (run) {
      this._session.steer('stop');
    }
    for (const end = Date.now() + STOP_MS; run && busy();) {
      if (Date.now() > end) {
        return false;
      }
      await new Promise(resolve => setTimeout(resolve, POLL_MS));
    }
    return true;
  }

  private _anchorOf(nodeId: string): string | null {
    const runId = nodeId.split('/')[0];
    const { document, runs } = this._session;
    const marked = document.cells().find(cell => rlmOf(cell).run_id === runId);
    return runs.get(runId)?.anchorId ?? (marked && rlmOf(marked).anchor) ?? null;
  }

  private _asked = new Map<string, PromiseDelegate<QuoteDict>>();
}

function editOf(cell: ICellModel, kind: RerunKind): EditDict {
  const text = cell.sharedModel.getSource();
  if (kind === 'continue') {
    return { kind, text };
  }
  return kind === 'again' && isEdited(cell) ? { kind: 'code', text } : { kind };
}

/** The cell that does the same where there is no question's cell any more: the change stands in it or below it. */
function lineOf({ node_id, edit }: GoDict): string {
  const { kind = 'again', text, model } = edit ?? {};
  const flags = [...(kind === 'model' ? [] : [`--${kind}`]), ...(model ? [`--model ${quoted(model)}`] : [])];
  return `%rlm rerun ${node_id} ${flags.join(' ')}${text ? `\n${text}` : ''}`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'"'"'`)}'`;
}

/** An execution that was cancelled (restart, closed page) is no fault. */
export function tellFault(reason: unknown): void {
  console.warn('A run could not be started or was cancelled.', reason);
}
