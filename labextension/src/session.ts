/**
 * One notebook panel and the kernel behind it: opens the comm, opens it again after a restart, and puts what the kernel
 * tells into the document.
 */

import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { Binder } from './bind';
import { NotebookDocument } from './document';
import { Follow } from './follow';
import { COMM_TARGET, FromKernel, PROTOCOL, Steering, ToKernel, parse } from './protocol';
import { LiveCells } from './livecells';
import { Runs } from './runs';

const LOST = 'The kernel ended, and the run with it.';

export class Session implements IDisposable {
  /**
   * @param panel the notebook
   * @param dock shows the widget with this model id beside the notebook
   */
  constructor(
    readonly panel: NotebookPanel,
    private _dock: (modelId: string, first: boolean) => void
  ) {
    this.document = new NotebookDocument(panel);
    this.follow = new Follow(panel, this.document);
    this.live = new LiveCells(this);
    const context = panel.sessionContext;
    context.kernelChanged.connect(this._onKernelChanged, this);
    context.statusChanged.connect(this._onStatus, this);
    panel.disposed.connect(this.dispose, this);
    window.addEventListener('pagehide', this._onPageHide);
    window.addEventListener('pageshow', this._onPageShow);
    void Promise.all([panel.context.ready, context.ready]).then(() => {
      this.live.watch();
      this.connect();
    });
  }

  readonly document: NotebookDocument;
  readonly runs = new Runs();
  readonly binder = new Binder();
  readonly follow: Follow;
  readonly live: LiveCells;

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.panel.isDisposed ? null : (this.panel.sessionContext.session?.kernel ?? null);
  }

  /** Told by its name or by its kernel specification: asking the kernel would wait behind a running cell. */
  get isOurKernel(): boolean {
    const name = this.kernel?.name;
    if (!name) {
      return false;
    }
    const spec = this.panel.sessionContext.specsManager.specs?.kernelspecs[name];
    return name === 'rlm' || spec?.metadata?.['rlm'] === true;
  }

  get recordTiming(): boolean {
    return this.panel.content.notebookConfig.recordTiming;
  }

  /** Under real-time collaboration only the owner's page changes the document; else every page changes its own. */
  mayChange(owner: string): boolean {
    return !this.document.shared || owner === this.kernel?.clientId;
  }

  /** Open the comm, unless it is open. */
  connect(): void {
    const kernel = this.kernel;
    if (this._isDisposed || !kernel || !this.isOurKernel || !this.document.model) {
      return;
    }
    if (this._comm && !this._comm.isDisposed) {
      return;
    }
    const comm = kernel.createComm(COMM_TARGET);
    comm.onMsg = message => this._onMessage(message);
    comm.onClose = () => {
      this._comm = null;
    };
    this._comm = comm;
    const hello: ToKernel = {
      type: 'hello',
      protocol: PROTOCOL,
      client_id: kernel.clientId,
      path: this.panel.context.path,
      rtc: this.document.shared
    };
    comm.open(hello);
  }

  send(message: ToKernel): boolean {
    if (!this._comm || this._comm.isDisposed) {
      return false;
    }
    this._comm.send(message);
    return true;
  }

  /** Pause, resume, step or stop the run that lasts. */
  steer(type: Steering): void {
    const run = this.runs.live;
    if (!run) {
      return;
    }
    if (!this.send({ type, run_id: run.id }) && type === 'stop') {
      // No comm: an interrupt stops a run as well.
      void this.kernel?.interrupt();
    } else if (type === 'stop') {
      this.runs.update(run, { state: 'stopping' });
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    window.removeEventListener('pagehide', this._onPageHide);
    window.removeEventListener('pageshow', this._onPageShow);
    this._close();
    this.binder.clear();
    this.follow.dispose();
    this.live.dispose();
    Signal.clearData(this.runs);
    Signal.clearData(this);
  }

  /** Lab holds back the next message until this returns: nothing here may wait for the kernel. */
  private _onMessage(raw: KernelMessage.ICommMsgMsg): void {
    const message: FromKernel | null = parse(raw.content.data);
    if (!message || this._isDisposed) {
      return;
    }
    if (message.type === 'dock') {
      this._dock(message.model_id, true);
      return;
    }
    if (message.type === 'hello_ack' && message.panel) {
      this._dock(message.panel, false);
    }
    this.live.handle(message);
  }

  private _onKernelChanged(): void {
    this._lost();
    if (this.panel.context.isReady) {
      this.connect();
    }
  }

  private _onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this._lost();
      this._away = true;
    } else if (this._away && (status === 'idle' || status === 'busy')) {
      this._away = false;
      this.connect();
    }
  }

  private _lost(): void {
    this._comm = null;
    this.binder.clear();
    this.runs.endAll(LOST);
    this.live.forget();
  }

  private _close(): void {
    const comm = this._comm;
    this._comm = null;
    if (comm && !comm.isDisposed) {
      try {
        comm.close();
      } catch {
        // The connection went first, and the kernel notices that by itself.
      }
    }
  }

  private _onPageHide = (): void => this._close();
  private _onPageShow = (event: PageTransitionEvent): void => {
    if (event.persisted) {
      this.connect();
    }
  };

  private _comm: Kernel.IComm | null = null;
  private _away = false;
  private _isDisposed = false;
}
