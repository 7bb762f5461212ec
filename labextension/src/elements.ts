/**
 * Small pieces of page: all text of others goes in as text, never as markup.
 */

/** A pointer that moved no further has pressed, not dragged. */
const STILL_PX = 8;

export function span(name: string, text = ''): HTMLSpanElement {
  const node = document.createElement('span');
  node.className = name;
  node.textContent = text;
  return node;
}

export interface ButtonOptions {
  label: string;
  pressed: () => void;
  name?: string;
  title?: string;
}

/** A button in a cell: the notebook does not take its mouse presses and keys for its own. */
export function button({ label, pressed, name = '', title = '' }: ButtonOptions): HTMLButtonElement {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = `rlm-Button ${name}`.trim();
  node.textContent = label;
  node.title = title;
  node.onclick = event => {
    event.stopPropagation();
    pressed();
  };
  node.onmousedown = event => event.stopPropagation();
  node.onkeydown = event => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.stopPropagation();
    }
  };
  return node;
}

/** A press counts for the button where it began, though what is written meanwhile has moved that from under the pointer. */
export function keepPresses(root: HTMLElement): void {
  let begun: { on: HTMLElement; x: number; y: number } | null = null;
  root.addEventListener(
    'pointerdown',
    ({ target, button, clientX: x, clientY: y }) => {
      const on = button === 0 && target instanceof Element ? target.closest<HTMLElement>('.rlm-Button') : null;
      begun = on && { on, x, y };
    },
    true
  );
  root.addEventListener(
    'click',
    event => {
      const press = event.isTrusted && begun;
      if (!press || press.on.contains(event.target as Node)) {
        return;
      }
      begun = null;
      if (press.on.isConnected && Math.hypot(event.clientX - press.x, event.clientY - press.y) <= STILL_PX) {
        event.stopPropagation();
        press.on.click();
      }
    },
    true
  );
}

export interface LineOptions {
  label: string;
  placeholder: string;
  /** What the button beside it says. */
  send: string;
  done: (text: string) => void;
  cancelled: () => void;
}

/** A line to write in: Enter sends, Escape closes. */
export function line({ label, placeholder, send, done, cancelled }: LineOptions): HTMLDivElement {
  const row = document.createElement('div');
  row.className = 'rlm-Line';
  const input = document.createElement('input');
  input.type = 'text';
  input.className = 'rlm-Line-input';
  input.placeholder = placeholder;
  input.setAttribute('aria-label', label);
  const submit = () => {
    const text = input.value.trim();
    input.value = '';
    done(text);
  };
  input.onmousedown = event => event.stopPropagation();
  input.onkeydown = event => {
    event.stopPropagation();
    if (event.key === 'Enter' && !event.isComposing) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      input.value = '';
      cancelled();
    }
  };
  row.append(input, button({ label: send, pressed: submit }));
  return row;
}
