/**
 * The panel in the right sidebar: one place, which shows the widget of the notebook in front.
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { MimeModel } from '@jupyterlab/rendermime';
import { Panel, Widget } from '@lumino/widgets';

const WIDGET_MIME = 'application/vnd.jupyter.widget-view+json';

export class Dock {
  constructor(private _shell: JupyterFrontEnd.IShell) {}

  /**
   * Show a widget beside a notebook.
   *
   * @param reveal open the sidebar for it
   */
  async show(panel: NotebookPanel, modelId: string, reveal: boolean): Promise<void> {
    const present = this._views.get(panel);
    if (present?.modelId !== modelId) {
      present?.view.dispose();
      const view = new Panel();
      view.addClass('rlm-Dock-view');
      this._views.set(panel, { modelId, view });
      this._ensure().addWidget(view);
      panel.disposed.connect(() => this._drop(panel, view));
      const renderer = panel.content.rendermime.createRenderer(WIDGET_MIME);
      view.addWidget(renderer);
      const data = { [WIDGET_MIME]: { version_major: 2, version_minor: 0, model_id: modelId } };
      await renderer.renderModel(new MimeModel({ data }));
    }
    this.front(panel);
    if (reveal) {
      this.reveal();
    }
  }

  /** This notebook came to the front. */
  front(panel: NotebookPanel | null): void {
    for (const [owner, { view }] of this._views) {
      view.setHidden(owner !== panel);
    }
  }

  /** Whether there is a panel for this notebook. */
  has(panel: NotebookPanel | null): boolean {
    return !!panel && this._views.has(panel);
  }

  reveal(): void {
    if (this._box && !this._box.isDisposed) {
      this._shell.activateById(this._box.id);
    }
  }

  private _ensure(): Panel {
    if (!this._box || this._box.isDisposed) {
      const box = new Panel();
      box.id = 'rlm-dock';
      box.addClass('rlm-Dock');
      box.title.label = 'RLM';
      box.title.caption = 'RLM: the tree of calls';
      box.node.setAttribute('role', 'region');
      box.node.setAttribute('aria-label', 'RLM calls');
      this._box = box;
      this._shell.add(box, 'right', { rank: 500 });
    }
    return this._box;
  }

  private _drop(panel: NotebookPanel, view: Widget): void {
    if (this._views.get(panel)?.view === view) {
      this._views.delete(panel);
    }
    view.dispose();
    if (!this._views.size) {
      this._box?.dispose();
      this._box = null;
    }
  }

  private _box: Panel | null = null;
  private _views = new Map<NotebookPanel, { modelId: string; view: Panel }>();
}
