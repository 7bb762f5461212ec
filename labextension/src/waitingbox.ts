/**
 * What waits for the person's decision: a cell of the model with the reasons to look at it, or a fan-out with what it takes.
 */

import { Widget } from '@lumino/widgets';

import { button, line, span } from './elements';
import type { DecisionDict, WaitingDict } from './protocol';

export interface WaitingActions {
  decide: (waits: WaitingDict, decision: DecisionDict) => void;
  /** What stands in the cell now; undefined where the page has no such cell. */
  source: (waits: WaitingDict) => string | undefined;
  /** Put the cursor on a line of the cell. */
  goTo: (waits: WaitingDict, line: number) => void;
}

export class WaitingBox extends Widget {
  constructor(
    readonly waits: WaitingDict,
    private _actions: WaitingActions
  ) {
    super();
    this.addClass('rlm-Waiting');
    this.node.setAttribute('role', 'group');
    this.node.setAttribute('aria-label', 'Waits for your decision');
    this._said.setAttribute('role', 'status');
    this._why = line({
      label: waits.kind === 'cell' ? 'Why this cell must not run' : 'Why these calls must not be made',
      placeholder: 'Why? The model is told (optional)',
      send: waits.kind === 'cell' ? 'Reject' : 'Refuse',
      done: reason => _actions.decide(waits, reason ? { verdict: 'reject', reason } : { verdict: 'reject' }),
      cancelled: () => this._ask(false)
    });
    this._why.hidden = true;
    this.node.append(this._said, ...(waits.kind === 'cell' ? this._cell() : this._calls()), this._why);
    this.refresh();
  }

  /** The cell's source may have been changed. */
  refresh(): void {
    const edited = this._edited() !== null;
    this._approve.textContent = edited ? 'Approve edited' : 'Approve';
    this._approve.title = edited ? 'Run the cell as you changed it; the model is told' : 'Let it pass (G A)';
  }

  approve(always = false): void {
    const source = this._edited();
    const verdict = always ? 'always' : 'approve';
    this._actions.decide(this.waits, source === null ? { verdict } : { verdict, source });
  }

  /** Ask for the reason. */
  reject(): void {
    this._ask(true);
  }

  private _cell(): HTMLElement[] {
    const { reasons } = this.waits;
    this._said.textContent = reasons.length ? 'The model wants to run this cell:' : 'The model wants to run this cell.';
    const nodes: HTMLElement[] = [];
    if (reasons.length) {
      const list = document.createElement('ul');
      list.className = 'rlm-Waiting-reasons';
      list.append(...reasons.map(reason => this._reason(reason)));
      nodes.push(list);
    }
    if (this._actions.source(this.waits) === undefined) {
      nodes.push(this._writeHere());
    }
    return [...nodes, this._buttons()];
  }

  private _reason(reason: WaitingDict['reasons'][number]): HTMLElement {
    const item = document.createElement('li');
    const goTo = button({
      label: `line ${reason.line}`,
      name: 'rlm-mod-link',
      title: 'Show this line',
      pressed: () => this._actions.goTo(this.waits, reason.line)
    });
    const code = document.createElement('code');
    code.textContent = reason.code;
    item.append(goTo, ` ${reason.why} `, code);
    return item;
  }

  /** A cell of a child run has no place in the notebook: it is shown, and may be changed, right here. */
  private _writeHere(): HTMLElement {
    const area = document.createElement('textarea');
    area.className = 'rlm-Waiting-code';
    area.value = this.waits.code;
    area.rows = Math.min(12, this.waits.code.split('\n').length + 1);
    area.spellcheck = false;
    area.setAttribute('aria-label', 'The cell of a child run, which you may change');
    area.oninput = () => this.refresh();
    area.onkeydown = event => event.stopPropagation();
    area.onmousedown = event => event.stopPropagation();
    this._area = area;
    return area;
  }

  private _calls(): HTMLElement[] {
    const { quote } = this.waits;
    if (!quote) {
      return [this._buttons()];
    }
    this._said.textContent = `A cell wants to make ${describe(quote)}.`;
    const first = document.createElement('input');
    first.type = 'number';
    first.min = '1';
    first.max = String(quote.calls);
    first.value = String(Math.min(10, quote.calls));
    first.className = 'rlm-Waiting-first';
    first.setAttribute('aria-label', 'How many calls to make');
    const cut = () => {
      if (first.reportValidity()) {
        this._actions.decide(this.waits, { verdict: 'first', first: first.valueAsNumber });
      }
    };
    first.onmousedown = event => event.stopPropagation();
    first.onkeydown = event => {
      event.stopPropagation();
      if (event.key === 'Enter') {
        cut();
      }
    };
    const some = span('rlm-Waiting-some');
    some.append(button({ label: 'Only the first', title: 'The others fail, and say so', pressed: cut }), first);
    return [this._buttons(some)];
  }

  private _buttons(...more: HTMLElement[]): HTMLElement {
    const row = document.createElement('div');
    row.className = 'rlm-Waiting-buttons';
    const always = button({
      label: 'Always',
      title: `Let all ${this.waits.kind === 'cell' ? 'cells' : 'calls'} of this run pass`,
      pressed: () => this.approve(true)
    });
    const reject = button({
      label: this.waits.kind === 'cell' ? 'Reject…' : 'Refuse…',
      title: 'Do not let it pass, and tell the model why (G D)',
      pressed: () => this.reject()
    });
    always.setAttribute('aria-label', 'Always approve in this run');
    row.append(this._approve, ...more, reject, always);
    return row;
  }

  private _ask(open: boolean): void {
    this._why.hidden = !open;
    (open ? this._why.querySelector('input') : this._approve)?.focus();
  }

  /** The cell as the person changed it; null where it is as it was. */
  private _edited(): string | null {
    if (this.waits.kind !== 'cell') {
      return null;
    }
    const source = this._area?.value ?? this._actions.source(this.waits);
    return source !== undefined && source.trim() !== this.waits.code.trim() ? source : null;
  }

  private _said = span('rlm-Waiting-said');
  private _approve = button({ label: 'Approve', name: 'rlm-mod-accept', pressed: () => this.approve() });
  private _area: HTMLTextAreaElement | null = null;
  private _why: HTMLDivElement;
}

function describe(quote: NonNullable<WaitingDict['quote']>): string {
  const number = (value: number) => value.toLocaleString('en');
  const one = quote.kind === 'rlm' ? 'child run' : 'call';
  const parts = [`${number(quote.calls)} ${one}${quote.calls === 1 ? '' : 's'} to ${quote.model}`];
  if (quote.cached) {
    parts.push(`${number(quote.cached)} of them known already`);
  }
  if (quote.tokens !== null) {
    parts.push(`about ${number(quote.tokens)} tokens`);
  }
  parts.push(quote.cost_usd === null ? 'cost unknown' : money(quote.cost_usd));
  return parts.join(', ');
}

function money(cost: number): string {
  return cost === 0 ? 'free' : `about $${cost.toFixed(cost >= 1 ? 2 : 4)}`;
}
