/**
 * Small pieces of page: all text of others goes in as text, never as markup.
 */

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
