/**
 * Lines of a cell's editor that a person is asked to look at.
 */

import type { Cell } from '@jupyterlab/cells';
import { CodeMirrorEditor } from '@jupyterlab/codemirror';
import { StateEffect, StateField } from '@codemirror/state';
import { Decoration, DecorationSet, EditorView } from '@codemirror/view';

import type { WaitingDict } from './protocol';

type Reasons = WaitingDict['reasons'];

const setReasons = StateEffect.define<Reasons>();

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marks, change) => {
    let now = marks.map(change.changes);
    for (const effect of change.effects) {
      if (effect.is(setReasons)) {
        const { doc } = change.state;
        const lines = new Map(effect.value.filter(({ line }) => line >= 1 && line <= doc.lines).map(r => [r.line, r]));
        const sorted = [...lines.values()].sort((a, b) => a.line - b.line);
        now = Decoration.set(sorted.map(({ line, why }) => mark(why).range(doc.line(line).from)));
      }
    }
    return now;
  },
  provide: self => EditorView.decorations.from(self)
});

const known = new WeakSet<CodeMirrorEditor>();

/** Mark these lines of a cell, and no others. */
export function markLines(cell: Cell, reasons: Reasons): void {
  const { editor } = cell;
  if (!(editor instanceof CodeMirrorEditor) || (!known.has(editor) && !reasons.length)) {
    return;
  }
  if (!known.has(editor)) {
    known.add(editor);
    editor.injectExtension(field);
  }
  editor.editor.dispatch({ effects: setReasons.of(reasons) });
}

function mark(why: string): Decoration {
  return Decoration.line({ class: 'rlm-riskyLine', attributes: { title: why } });
}
