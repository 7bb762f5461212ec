/**
 * How the cells of runs look: badges, folded prose, run bars, and the Stop button of the notebook's toolbar. Everything is
 * drawn from the metadata and the runs each time either changes, so a saved notebook looks the same when it is opened again.
 */

import { Cell, CodeCell, MarkdownCell } from '@jupyterlab/cells';
import { ToolbarButton, stopIcon } from '@jupyterlab/ui-components';
import type { IDisposable } from '@lumino/disposable';
import { PanelLayout } from '@lumino/widgets';

import { Badge } from './badge';
import { BarState, RunBar } from './bar';
import { isModelCell, rlmOf } from './document';
import { keepPresses } from './elements';
import { isEdited } from './marks';
import { tellFault } from './rerun';
import type { Run } from './runs';
import type { Session } from './session';
import { Decisions } from './waiting';
import type { WaitingBox } from './waitingbox';

const REFRESH_MS = 30;
/** Prose longer than this does not fit on its first line. */
const ONE_LINE = 90;

export class Decorations implements IDisposable {
  /** @param _menu opens the menu of what can be done from a cell */
  constructor(
    private _session: Session,
    private _menu: (x: number, y: number) => void
  ) {
    this.decisions = new Decisions(_session);
    keepPresses(_session.panel.node);
    _session.runs.changed.connect(this.schedule, this);
    _session.undones.changed.connect(this.schedule, this);
    void _session.panel.context.ready.then(() => {
      _session.document.model?.cells.changed.connect(this.schedule, this);
      this.schedule();
    });
    _session.panel.content.modelContentChanged.connect(this.schedule, this);
  }

  readonly decisions: Decisions;

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

  /** The bar at a `%%rlm` cell. */
  barOf(anchorId: string): RunBar | undefined {
    const widget = this._session.document.widget(anchorId);
    return widget && this._bars.get(widget);
  }

  /** Show the cells of the run at this `%%rlm` cell. */
  unfold(anchorId: string | null | undefined): void {
    if (anchorId && this._isFolded(anchorId)) {
      this._session.document.annotate(anchorId, { folded: false });
      this.schedule();
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
      this.decisions.draw(widget, make => this._ensure(this._boxes, widget, make, 1));
    }
    this.decisions.greet({
      fresh: waits => {
        const cell = waits.cell_id && this._session.document.cell(waits.cell_id);
        this.unfold(cell && rlmOf(cell).anchor);
      },
      sees: place => this._sees(place)
    });
    this._drawStop();
  }

  private _drawCell(widget: Cell): void {
    const { live, undones } = this._session;
    const { id } = widget.model;
    const ours = isModelCell(widget.model);
    const undone = undones.has(id);
    const edited = isEdited(widget.model);
    const { stale, anchor, part } = rlmOf(widget.model);
    widget.toggleClass('rlm-Cell', ours);
    widget.toggleClass('rlm-mod-stale', ours && !!stale);
    widget.toggleClass('rlm-mod-edited', edited);
    widget.toggleClass('rlm-mod-undone', undone);
    if (!ours && !undone) {
      this._badges.get(widget)?.dispose();
      return;
    }
    const writing = live.isWriting(id);
    widget.toggleClass('rlm-mod-writing', writing);
    if (ours) {
      widget.node.dataset['rlmPart'] = part ?? (widget instanceof MarkdownCell ? 'prose' : 'code');
      this._hide(widget, !!anchor && this._isFolded(anchor));
      this._awaitInput(widget);
    }
    const badge = this._ensure(this._badges, widget, () => this._makeBadge(widget), 0);
    badge?.display({
      model: ours,
      text: writing || !ours ? '' : this._badgeOf(widget),
      writing,
      waiting: !!this.decisions.at(id),
      folded: ours ? this._foldProse(widget, writing) : undefined,
      edited,
      stale: ours && !!stale,
      undone,
      ...this._offers(widget, edited)
    });
  }

  /** What can be done from this cell: once in each turn, at its code where it has some. */
  private _offers(widget: Cell, edited: boolean): { rerun: boolean; goOn: boolean } {
    const { rerun, runs, isConnected } = this._session;
    const { node_id, ran } = rlmOf(widget.model);
    const fits = isConnected && rerun.fits(widget.model) && !runs.live;
    const elsewhere = widget.model.type !== 'code' && !!node_id && this._turnsWithCode.has(node_id);
    return { rerun: fits && !elsewhere, goOn: fits && !elsewhere && edited && !!ran };
  }

  private _makeBadge(widget: Cell): Badge {
    const { rerun, panel } = this._session;
    const select = () => {
      panel.content.activeCellIndex = panel.content.widgets.indexOf(widget);
    };
    return new Badge({
      toggle: () => this._toggleProse(widget),
      rerun: () => void rerun.from(widget.model, 'again').catch(tellFault),
      goOn: () => void rerun.from(widget.model, 'continue').catch(tellFault),
      more: (x, y) => {
        select();
        this._menu(x, y);
      }
    });
  }

  /** A box to type in must not be hidden. */
  private _awaitInput(widget: Cell): void {
    if (widget instanceof CodeCell && !this._listened.has(widget)) {
      this._listened.add(widget);
      widget.outputArea.inputRequested.connect(() => this.unfold(rlmOf(widget.model).anchor));
    }
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
    const bar = this._ensure(this._bars, widget, () => this._makeBar(anchorId), 1);
    bar?.display({ run: run && this._barState(run), cells, folded: this._isFolded(anchorId) });
  }

  private _makeBar(anchorId: string): RunBar {
    const { runs, rerun, document } = this._session;
    const run = () => runs.ofAnchor(anchorId);
    return new RunBar({
      ...this.decisions,
      steer: what => this._session.steer(what),
      toggle: () => this.toggleWorking(anchorId),
      tell: text => this._session.tell(run()?.id ?? '', text),
      goOn: () => {
        const ended = run();
        if (ended) {
          rerun.goOn(ended).catch(tellFault);
        }
      },
      show: cellId => void document.reveal(cellId)
    });
  }

  private _barState(run: Run): BarState['run'] {
    const { live, state, text, turn, steers } = run;
    const ended = !live && this._session.isConnected && !this._session.runs.live;
    const limited = run.limits.length > 0;
    const open = limited || (!!run.outcome && run.outcome !== 'answered');
    return {
      ...{ live, state, text, turn, steers },
      waiting: this.decisions.onBar(run),
      waitingCell: this.decisions.cellOf(run),
      goOn: ended && open ? (limited ? 'Raise and continue…' : 'Continue') : null
    };
  }

  /**
   * The widget of this cell, made when the cell is really there: cells out of view are empty at first.
   *
   * @param below 0: above the input, 1: below it
   */
  private _ensure<T extends Badge | RunBar | WaitingBox>(
    kept: WeakMap<Cell, T>,
    cell: Cell,
    make: () => T,
    below: 0 | 1
  ): T | null {
    const present = kept.get(cell);
    if (present && !present.isDisposed) {
      return present;
    }
    const layout = cell.layout as PanelLayout;
    const input = layout.widgets.findIndex(widget => widget.hasClass('jp-Cell-inputWrapper'));
    if (!cell.inputArea || input < 0) {
      if (!this._awaited.has(cell)) {
        this._awaited.add(cell);
        void cell.ready.then(() => this.schedule());
      }
      return null;
    }
    const made = make();
    kept.set(cell, made);
    layout.insertWidget(input + below, made);
    return made;
  }

  private _sees(cellId: string | null): boolean {
    const node = cellId && this._session.document.widget(cellId)?.node;
    const { outerNode } = this._session.panel.content;
    if (!node || !node.isConnected) {
      return false;
    }
    const [view, cell] = [outerNode.getBoundingClientRect(), node.getBoundingClientRect()];
    return cell.top < view.bottom && cell.bottom > view.top;
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
  private _boxes = new WeakMap<Cell, WaitingBox>();
  private _listened = new WeakSet<Cell>();
  private _turnsWithCode = new Set<string>();
  private _awaited = new WeakSet<Cell>();
  private _hidden = new WeakSet<Cell>();
  private _unfolded = new Set<string>();
  private _stop: ToolbarButton | null = null;
  private _timer = 0;
  private _isDisposed = false;
}
