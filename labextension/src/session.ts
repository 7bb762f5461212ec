/**
 * One notebook panel and the kernel behind it: opens the comm, opens it again after a restart, and puts what the kernel
 * tells into the document.
 */

import type { Cell } from '@jupyterlab/cells';
import { Notebook, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';

import { Binder } from './bind';
import { NotebookDocument } from './document';
import { Follow } from './follow';
import { LiveCells } from './livecells';
import { Undones } from './marks';
import {
  COMM_TARGET,
  DecisionDict,
  FromKernel,
  PROTOCOL,
  Steering,
  ToKernel,
  Undone,
  WaitingDict,
  parse
} from './protocol';
import { Rerun, tellFault } from './rerun';
import { Runs } from './runs';
import { tell } from './tell';

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
    this.rerun = new Rerun(this);
    NotebookActions.executed.connect(this._onExecuted, this);
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
  readonly rerun: Rerun;
  readonly undones = new Undones();
  /** Models that can be asked. */
  models: string[] = [];

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

  /** Whether messages reach the kernel. */
  get isConnected(): boolean {
    return !!this._comm && !this._comm.isDisposed;
  }

  get isBusy(): boolean {
    return this.kernel?.status === 'busy';
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

  /** Tell the model something with its next turn. */
  tell(runId: string, text: string): void {
    if (text) {
      this.send({ type: 'steer', run_id: runId, text });
    }
  }

  decide(waits: WaitingDict, decision: DecisionDict): void {
    this.send({ type: 'decision', id: waits.id, decision });
  }

  /** Have the panel made, and shown beside this notebook. */
  askPanel(): void {
    this.send({ type: 'panel' });
  }

  /** Put Python back to before this cell. */
  undo(cellId: string): void {
    this.send({ type: 'undo', cell_id: cellId });
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    NotebookActions.executed.disconnect(this._onExecuted, this);
    window.removeEventListener('pagehide', this._onPageHide);
    window.removeEventListener('pageshow', this._onPageShow);
    this._close();
    this.binder.clear();
    this.follow.dispose();
    this.live.dispose();
    Signal.clearData(this.runs);
    Signal.clearData(this.undones);
    Signal.clearData(this);
  }

  /** Lab holds back the next message until this returns: nothing here may wait for the kernel. */
  private _onMessage(raw: KernelMessage.ICommMsgMsg): void {
    const message: FromKernel | null = parse(raw.content.data);
    if (!message || this._isDisposed) {
      return;
    }
    switch (message.type) {
      case 'dock':
        return this._dock(message.model_id, true);
      case 'quoted':
        return this.rerun.onQuoted(message.ask_id, message.quote);
      case 'problem':
        return this.rerun.onProblem(message);
      case 'go':
        return this.rerun.go(message);
      case 'jump':
        return void this.document.reveal(message.cell_id).catch(tellFault);
      case 'undone':
        return this._onUndone(message);
      case 'hello_ack':
        this.models = message.models ?? [];
        if (message.panel) {
          this._dock(message.panel, false);
        }
        this.undones.set(message.undone ?? []);
        return this.live.welcome(message);
      default:
        return this.live.handle(message);
    }
  }

  private _onUndone({ cell_ids, text }: Undone): void {
    this.undones.add(cell_ids);
    if (text) {
      tell('info', text);
    }
  }

  private _onExecuted(_: unknown, { notebook, cell }: { notebook: Notebook; cell: Cell }): void {
    if (notebook === this.panel.content) {
      this.undones.remove(cell.model.id);
    }
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
    this.rerun.forget();
    this.undones.clear();
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
