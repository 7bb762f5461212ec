/**
 * Keeps the model's newest cell in view while the person is at the end of the run, brings the answer into view then, and
 * leaves the view alone otherwise. While the pointer is pressed nothing moves: the press would end on something else.
 */

import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';

import { NotebookDocument, isModelCell } from './document';

/** How far below the lower edge a cell may end and still count as seen. */
const SLACK = 48;
const MARGIN = 16;
const GESTURES = ['wheel', 'touchmove', 'pointerup', 'keyup'] as const;
const RELEASES = ['pointerup', 'pointercancel'] as const;

export class Follow implements IDisposable {
  constructor(
    private _panel: NotebookPanel,
    private _document: NotebookDocument
  ) {
    for (const gesture of GESTURES) {
      this._outer.addEventListener(gesture, this._onGesture, { passive: true });
    }
    this._outer.addEventListener('pointerdown', this._onPress, true);
    for (const release of RELEASES) {
      window.addEventListener(release, this._onRelease, true);
    }
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** A run begins at this cell: follow it if the person sees the cell. */
  begin(anchorId: string): void {
    this._last = anchorId;
    this._on = this._sees(anchorId);
  }

  /** This cell grew: show its end, if the person is there. */
  grown(cellId: string): void {
    this._last = cellId;
    if (this._on && !this._writesElsewhere()) {
      this._move(() => this._reveal(this._last));
    }
  }

  /** The run is over: its answer stands at its question, so whoever has followed the working is taken back there. */
  end(anchorId: string | null): void {
    const follows = this._on && !this._writesElsewhere();
    this._on = false;
    if (follows && anchorId) {
      this._move(() => this._back(anchorId));
    }
  }

  dispose(): void {
    this._isDisposed = true;
    this._on = false;
    for (const gesture of GESTURES) {
      this._outer.removeEventListener(gesture, this._onGesture);
    }
    this._outer.removeEventListener('pointerdown', this._onPress, true);
    for (const release of RELEASES) {
      window.removeEventListener(release, this._onRelease, true);
    }
  }

  /** With the next frame, or when the pointer is released. */
  private _move(move: () => void): void {
    this._next = move;
    if (!this._frame) {
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        if (!this._pressed) {
          this._next?.();
          this._next = null;
        }
      });
    }
  }

  private _reveal(cellId: string | null): void {
    const node = cellId && !this._panel.isDisposed && this._document.widget(cellId)?.node;
    if (!node || !this._on) {
      return;
    }
    if (!node.isConnected) {
      // Windowed notebooks take cells out of the page.
      this._panel.content.scrollToItem(this._document.indexOf(cellId), 'smart').catch(() => undefined);
      return;
    }
    const below = node.getBoundingClientRect().bottom - this._bottom();
    if (below > 0) {
      this._outer.scrollTop += below + MARGIN;
    }
  }

  private _back(cellId: string): void {
    const node = !this._panel.isDisposed && this._document.widget(cellId)?.node;
    if (!node) {
      return;
    }
    if (!node.isConnected) {
      this._panel.content.scrollToItem(this._document.indexOf(cellId), 'start').catch(() => undefined);
      return;
    }
    const above = this._outer.getBoundingClientRect().top - node.getBoundingClientRect().top;
    if (above > 0) {
      this._outer.scrollTop -= above + MARGIN;
    }
  }

  private _sees(cellId: string): boolean {
    const node = this._document.widget(cellId)?.node;
    return !!node?.isConnected && node.getBoundingClientRect().bottom <= this._bottom() + SLACK;
  }

  /** The person writes in a cell of their own: scrolling would take it away from under the cursor. */
  private _writesElsewhere(): boolean {
    const { mode, activeCell } = this._panel.content;
    return mode === 'edit' && !!activeCell && !isModelCell(activeCell.model);
  }

  private _bottom(): number {
    return this._outer.getBoundingClientRect().bottom;
  }

  private get _outer(): HTMLElement {
    return this._panel.content.outerNode;
  }

  private _onPress = (event: PointerEvent): void => {
    // The release of a scroll bar is not told.
    this._pressed = event.button === 0 && event.target !== this._outer;
  };

  private _onRelease = (): void => {
    this._pressed = false;
    if (this._next) {
      this._move(this._next);
    }
  };

  private _onGesture = (): void => {
    // After the gesture has moved the view.
    setTimeout(() => {
      if (!this._isDisposed && this._last && !this._panel.isDisposed) {
        this._on = this._sees(this._last);
      }
    }, 100);
  };

  private _on = false;
  private _last: string | null = null;
  private _next: (() => void) | null = null;
  private _frame = 0;
  private _pressed = false;
  private _isDisposed = false;
}
