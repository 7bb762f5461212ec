/**
 * The dialog before a re-run: what is changed, what will run again, and what that is expected to cost.
 */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { EditDict, QuoteDict } from './protocol';

const QUIET_MS = 300;

export interface Change {
  title: string;
  /** The edit as far as it is known before the dialog. */
  edit: EditDict;
  /** What the person has to write: a hint for the model, or another model's name. */
  asks?: 'hint' | 'model';
  /** Models to choose from. */
  models?: string[];
  /** A run lasts, and has to be stopped first. */
  stops: boolean;
  /** Asks the kernel; rejects with what is wrong. */
  quote: (edit: EditDict) => Promise<QuoteDict>;
}

/** Ask; null where the person does not want it. */
export async function askForChange(change: Change): Promise<EditDict | null> {
  const body = new ChangeForm(change);
  const result = await showDialog({
    title: change.title,
    body,
    // Not the button: it is off until the price is known, and the keys are the dialog's from the first moment.
    focusNodeSelector: change.asks ? '.rlm-Change-field' : '.rlm-Change-quote',
    buttons: [
      Dialog.cancelButton(),
      Dialog.okButton({ label: change.stops ? 'Stop the run, then run again' : 'Run again' })
    ]
  });
  return result.button.accept ? result.value : null;
}

class ChangeForm extends Widget implements Dialog.IBodyWidget<EditDict> {
  constructor(private _change: Change) {
    super();
    this.addClass('rlm-Change');
    if (_change.asks) {
      this._field = fieldFor(_change);
      const label = document.createElement('label');
      label.textContent = _change.asks === 'hint' ? 'What the model is told before this turn' : 'The model to ask';
      label.append(this._field, ...this._choices());
      this.node.append(label);
    }
    this._text.className = 'rlm-Change-quote';
    this._text.tabIndex = -1;
    this._text.setAttribute('role', 'status');
    this._text.setAttribute('aria-live', 'polite');
    // Lab's dialog takes the keys back here where the page behind it has taken them: Enter is the button's.
    this._text.onfocus = event => this._passOn(event);
    // Lab's dialog keeps its button off while a field of it is not valid: this one is, once the price is known.
    this._gate.required = true;
    this._gate.hidden = true;
    this._gate.tabIndex = -1;
    this._gate.setAttribute('aria-hidden', 'true');
    this.node.append(this._text, this._gate);
  }

  getValue(): EditDict {
    const text = this._field?.value.trim() ?? '';
    switch (this._change.asks) {
      case 'hint':
        return { ...this._change.edit, text };
      case 'model':
        return { ...this._change.edit, model: text };
      default:
        return this._change.edit;
    }
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    if (this._field) {
      this._field.oninput = () => {
        clearTimeout(this._timer);
        this._close('');
        this._timer = window.setTimeout(() => this._ask(), QUIET_MS);
      };
      (this._field as HTMLElement).onkeydown = event => this._onKey(event);
    }
    // The dialog listens to its fields only after they are attached.
    if (this._accept) {
      this._accept.disabled = true;
    }
    this._timer = window.setTimeout(() => this._ask());
  }

  protected override onBeforeDetach(message: Message): void {
    clearTimeout(this._timer);
    this._asked += 1;
    super.onBeforeDetach(message);
  }

  private _ask(): void {
    const edit = this.getValue();
    const asked = ++this._asked;
    if (this._field && !this._field.value.trim()) {
      return this._close('');
    }
    this._close('Working out what runs again …');
    this._change.quote(edit).then(
      quote => asked === this._asked && this._open(quote.text),
      (reason: unknown) =>
        asked === this._asked && this._close(String(reason instanceof Error ? reason.message : reason))
    );
  }

  private _open(text: string): void {
    this._text.textContent = text;
    this._setGate('open');
    if (!this._field || document.activeElement === document.body) {
      this._accept?.focus();
    }
  }

  private _passOn(event: FocusEvent): void {
    const pressed =
      event.relatedTarget instanceof Node && this.node.closest('.jp-Dialog')?.contains(event.relatedTarget);
    if (this._gate.value && !pressed) {
      this._accept?.focus();
    }
  }

  private _close(text: string): void {
    this._text.textContent = text;
    this._setGate('');
  }

  private _setGate(value: string): void {
    this._gate.value = value;
    this.node.dispatchEvent(new Event('input', { bubbles: true }));
  }

  /** Enter sends a hint, Shift Enter begins another line. */
  private _onKey(event: KeyboardEvent): void {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && this._field instanceof HTMLTextAreaElement) {
      event.preventDefault();
      this._accept?.click();
    }
  }

  private _choices(): HTMLElement[] {
    if (this._change.asks !== 'model') {
      return [];
    }
    const list = document.createElement('datalist');
    list.id = 'rlm-models';
    list.append(...(this._change.models ?? []).map(name => new Option(name, name)));
    this._field?.setAttribute('list', list.id);
    return [list];
  }

  private get _accept(): HTMLButtonElement | null {
    return this.node.closest('.jp-Dialog')?.querySelector('.jp-mod-accept') ?? null;
  }

  private _field: HTMLTextAreaElement | HTMLInputElement | null = null;
  private _text = document.createElement('div');
  private _gate = document.createElement('input');
  private _asked = 0;
  private _timer = 0;
}

function fieldFor(change: Change): HTMLTextAreaElement | HTMLInputElement {
  const field = document.createElement(change.asks === 'hint' ? 'textarea' : 'input');
  field.className = 'rlm-Change-field';
  if (field instanceof HTMLTextAreaElement) {
    field.rows = 3;
  }
  return field;
}
