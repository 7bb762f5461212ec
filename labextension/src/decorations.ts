/**
 * How the cells of runs look: badges, folded prose, run bars, and the Stop button of the notebook's toolbar. Everything is
 * drawn from the metadata and the runs each time either changes, so a saved notebook looks the same when it is opened again.
 */

import { Cell, MarkdownCell } from '@jupyterlab/cells';
import { ToolbarButton, stopIcon } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { PanelLayout } from '@lumino/widgets';

import { Badge } from './badge';
import { RunBar } from './bar';
import { isModelCell, rlmOf } from './document';
import type { Session } from './session';

const REFRESH_MS = 30;
/** Prose longer than this does not fit on its first line. */
const ONE_LINE = 90;

export class Decorations implements IDisposable {
  constructor(private _session: Session) {
    _session.runs.changed.connect(this.schedule, this);
    void _session.panel.context.ready.then(() => {
      _session.document.model?.cells.changed.connect(this.schedule, this);
      this.schedule();
    });
    _session.panel.content.modelContentChanged.connect(this.schedule, this);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Draw soon; many changes make one drawing. */
  schedule(): void {
    if (!this._timer && !this._isDisposed) {
      this._timer = window.setTimeout(() => {
        this._timer = 0;
        this._refresh();
      }, REFRESH_MS);
    }
  }

  /** Fold or unfold the working of the run at this `%%rlm` cell. */
  toggleWorking(anchorId: string): void {
    const { document } = this._session;
    const folded = !this._isFolded(anchorId);
    document.annotate(anchorId, { folded });
    const { content } = this._session.panel;
    const active = content.activeCell;
    if (folded && active && rlmOf(active.model).anchor === anchorId) {
      content.activeCellIndex = document.indexOf(anchorId);
    }
    this.schedule();
  }

  dispose(): void {
    this._isDisposed = true;
    clearTimeout(this._timer);
    this._stop?.dispose();
  }

  private _refresh(): void {
    const { panel } = this._session;
    if (this._isDisposed || panel.isDisposed || !this._session.document.model) {
      return;
    }
    const working = new Map<string, number>();
    this._turnsWithCode.clear();
    for (const { model } of panel.content.widgets) {
      const { anchor, node_id } = rlmOf(model);
      if (anchor && isModelCell(model)) {
        working.set(anchor, (working.get(anchor) ?? 0) + 1);
      }
      if (node_id && model.type === 'code') {
        this._turnsWithCode.add(node_id);
      }
    }
    for (const widget of panel.content.widgets) {
      this._drawCell(widget);
      this._drawBar(widget, working.get(widget.model.id) ?? 0);
    }
    this._drawStop();
  }

  private _drawCell(widget: Cell): void {
    const ours = isModelCell(widget.model);
    widget.toggleClass('rlm-Cell', ours);
    if (!ours) {
      this._badges.get(widget)?.dispose();
      return;
    }
    const meta = rlmOf(widget.model);
    const writing = this._session.live.isWriting(widget.model.id);
    widget.toggleClass('rlm-mod-writing', writing);
    widget.node.dataset['rlmPart'] = meta.part ?? (widget instanceof MarkdownCell ? 'prose' : 'code');
    const folded = this._foldProse(widget, writing);
    this._hide(widget, !!meta.anchor && this._isFolded(meta.anchor));
    const badge = this._ensure(this._badges, widget, () => new Badge(() => this._toggleProse(widget)), 1);
    badge?.display({ text: writing ? '' : this._badgeOf(widget), writing, folded });
  }

  /** What a turn cost stands once: at its code, where it has some. */
  private _badgeOf(widget: Cell): string {
    const { badge, node_id, turn } = rlmOf(widget.model);
    const above = widget.model.type !== 'code' && !!node_id && this._turnsWithCode.has(node_id);
    return above && turn ? `turn ${turn}` : (badge ?? '');
  }

  private _drawBar(widget: Cell, cells: number): void {
    const anchorId = widget.model.id;
    const run = this._session.runs.ofAnchor(anchorId) ?? null;
    if (!run && cells === 0) {
      this._bars.get(widget)?.dispose();
      return;
    }
    const make = () =>
      new RunBar(
        what => this._session.steer(what),
        () => this.toggleWorking(anchorId)
      );
    const bar = this._ensure(this._bars, widget, make, 2);
    const shown = run && { live: run.live, state: run.state, text: run.text, turn: run.turn };
    bar?.display({ run: shown, cells, folded: this._isFolded(anchorId) });
  }

  /** The widget of this cell, made when the cell is really there: cells out of view are empty at first. */
  private _ensure<T extends Badge | RunBar>(
    kept: WeakMap<Cell, T>,
    cell: Cell,
    make: () => T,
    index: number
  ): T | null {
    const present = kept.get(cell);
    if (present && !present.isDisposed) {
      return present;
    }
    const layout = cell.layout as PanelLayout;
    if (!cell.inputArea || layout.widgets.length < 2) {
      if (!this._awaited.has(cell)) {
        this._awaited.add(cell);
        void cell.ready.then(() => this.schedule());
      }
      return null;
    }
    const made = make();
    kept.set(cell, made);
    layout.insertWidget(index, made);
    return made;
  }

  /** Fold rendered prose to its first line, unless the person opened it. */
  private _foldProse(widget: Cell, writing: boolean): boolean | undefined {
    if (!(widget instanceof MarkdownCell)) {
      return undefined;
    }
    const source = widget.model.sharedModel.getSource().trim();
    const foldable = !writing && widget.rendered && (source.includes('\n') || source.length > ONE_LINE);
    const folded = foldable && !this._unfolded.has(widget.model.id);
    widget.toggleClass('rlm-mod-folded', folded);
    return foldable ? folded : undefined;
  }

  private _toggleProse(widget: Cell): void {
    const id = widget.model.id;
    if (!this._unfolded.delete(id)) {
      this._unfolded.add(id);
    }
    this.schedule();
  }

  /** Only what was hidden here is shown again: a folded heading hides cells too. */
  private _hide(widget: Cell, hidden: boolean): void {
    if (hidden) {
      this._hidden.add(widget);
      widget.setHidden(true);
    } else if (this._hidden.delete(widget)) {
      widget.setHidden(false);
    }
  }

  private _isFolded(anchorId: string): boolean {
    const cell = this._session.document.cell(anchorId);
    return !!cell && rlmOf(cell).folded === true;
  }

  private _drawStop(): void {
    const live = !!this._session.runs.live;
    if (live && !this._stop) {
      this._stop = new ToolbarButton({
        className: 'rlm-ToolbarStop',
        icon: stopIcon,
        label: 'Stop run',
        tooltip: 'Stop the RLM run',
        onClick: () => this._session.steer('stop')
      });
      const { toolbar } = this._session.panel;
      if (!toolbar.insertAfter('interrupt', 'rlm-stop', this._stop)) {
        toolbar.insertItem(0, 'rlm-stop', this._stop);
      }
    } else if (!live && this._stop) {
      this._stop.dispose();
      this._stop = null;
    }
  }

  private _badges = new WeakMap<Cell, Badge>();
  private _bars = new WeakMap<Cell, RunBar>();
  private _turnsWithCode = new Set<string>();
  private _awaited = new WeakSet<Cell>();
  private _hidden = new WeakSet<Cell>();
  private _unfolded = new Set<string>();
  private _stop: ToolbarButton | null = null;
  private _timer = 0;
  private _isDisposed = false;
}
