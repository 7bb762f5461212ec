/**
 * The dialog where a limit ended a run: what was spent, and how much more it may be.
 */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import type { MeterDict } from './protocol';

const WORDS: Record<string, string> = {
  cost_usd: 'US dollars',
  tokens: 'Tokens',
  calls: 'Model calls',
  depth: 'Levels of recursion',
  turns: 'Turns',
  seconds: 'Seconds',
  concurrency: 'Calls at the same time'
};

/** Ask for new limits, by their names; null where the person does not want to go on. */
export async function askForLimits(limits: MeterDict[], spent: string): Promise<Record<string, number> | null> {
  const body = new LimitsForm(limits, spent);
  const result = await showDialog({
    title: 'Raise the limit and continue',
    body,
    focusNodeSelector: 'input',
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Continue' })]
  });
  return result.button.accept ? result.value : null;
}

class LimitsForm extends Widget implements Dialog.IBodyWidget<Record<string, number>> {
  constructor(limits: MeterDict[], spent: string) {
    super();
    this.addClass('rlm-Change');
    const text = document.createElement('div');
    text.className = 'rlm-Change-quote';
    text.textContent = spent;
    this.node.append(text, ...limits.map(limit => this._row(limit)));
  }

  getValue(): Record<string, number> {
    return Object.fromEntries([...this._fields].map(([kind, field]) => [kind, field.valueAsNumber]));
  }

  private _row({ kind, limit, used }: MeterDict): HTMLElement {
    const whole = kind !== 'cost_usd' && kind !== 'seconds';
    const field = document.createElement('input');
    field.type = 'number';
    field.required = true;
    field.step = whole ? '1' : 'any';
    // More than it was, else it would end at once.
    field.min = String(whole ? limit + 1 : limit);
    field.value = String(limit * 2 || 1);
    field.className = 'rlm-Change-field';
    this._fields.set(kind, field);
    const label = document.createElement('label');
    const number = (value: number) => value.toLocaleString('en', { maximumFractionDigits: 4 });
    label.textContent = `${WORDS[kind] ?? kind}: ${number(used)} used of ${number(limit)}; from now on at most`;
    label.append(field);
    return label;
  }

  private _fields = new Map<string, HTMLInputElement>();
}
