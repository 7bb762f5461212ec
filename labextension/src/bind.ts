/**
 * Binding: the kernel chose the message id of a model's cell, and the page makes a real future for it by sending an empty,
 * silent execute_request under that id. From there on output, `[*]`, input and clean-up are Lab's own code.
 */

import type { ISessionContext } from '@jupyterlab/apputils';
import { CodeCell } from '@jupyterlab/cells';
import type { Kernel, KernelMessage } from '@jupyterlab/services';

export type ShellFuture = Kernel.IShellFuture<KernelMessage.IExecuteRequestMsg, KernelMessage.IExecuteReplyMsg>;

/**
 * The futures of the cells that are bound but do not run yet.
 *
 * The bind goes out when the cell is inserted, which hides its round trip behind the model's typing. Lab's output area takes
 * the future over when the cell starts; until then what arrives is kept, since stdin and iopub come over different sockets and
 * a question of the cell may overtake the news that it runs.
 */
export class Binder {
  bind(kernel: Kernel.IKernelConnection, cellId: string, msgId: string): void {
    if (this._waiting.has(msgId)) {
      return;
    }
    const future = sendBind(kernel, cellId, msgId);
    const early: KernelMessage.IStdinMessage[] = [];
    future.onStdin = message => {
      early.push(message);
    };
    this._waiting.set(msgId, { future, early });
  }

  /** Hand the future over to the cell, which then shows itself as running. */
  async start(kernel: Kernel.IKernelConnection, cell: CodeCell, msgId: string, recordTiming: boolean): Promise<void> {
    if (cell.outputArea.future?.msg.header.msg_id === msgId) {
      return;
    }
    this.bind(kernel, cell.model.id, msgId);
    const waiting = this._waiting.get(msgId)!;
    this._waiting.delete(msgId);
    const running = CodeCell.execute(cell, contextOf(waiting.future), { recordTiming });
    for (const message of waiting.early) {
      void waiting.future.onStdin(message);
    }
    await settled(running);
  }

  /** Take a cell up again that runs already: what it has shown stays. */
  async reattach(kernel: Kernel.IKernelConnection, cell: CodeCell, msgId: string): Promise<void> {
    const model = cell.model;
    if (cell.outputArea.future?.msg.header.msg_id === msgId) {
      return;
    }
    const future = this._waiting.get(msgId)?.future ?? sendBind(kernel, model.id, msgId);
    this._waiting.delete(msgId);
    model.trusted = true;
    model.executionState = 'running';
    cell.outputArea.reattachFuture(future);
    const reply = await settled(future.done);
    if (cell.isDisposed || cell.outputArea.future !== future) {
      return;
    }
    if (reply?.content.execution_count) {
      model.executionCount = reply.content.execution_count;
    }
    model.executionState = 'idle';
  }

  /** The cell will not run any more. */
  drop(msgId: string): void {
    this._waiting.get(msgId)?.future.dispose();
    this._waiting.delete(msgId);
  }

  /** The kernel is gone. */
  clear(): void {
    for (const msgId of [...this._waiting.keys()]) {
      this.drop(msgId);
    }
  }

  private _waiting = new Map<string, { future: ShellFuture; early: KernelMessage.IStdinMessage[] }>();
}

function sendBind(kernel: Kernel.IKernelConnection, cellId: string, msgId: string): ShellFuture {
  const message: KernelMessage.IExecuteRequestMsg = {
    buffers: [],
    channel: 'shell',
    content: {
      code: '',
      silent: true,
      store_history: false,
      user_expressions: {},
      allow_stdin: true,
      stop_on_error: false
    },
    header: {
      date: new Date().toISOString(),
      msg_id: msgId,
      msg_type: 'execute_request',
      session: kernel.clientId,
      username: kernel.username,
      version: '5.3'
    },
    metadata: { rlm_bind: true, cellId },
    parent_header: {}
  };
  const future = kernel.sendShellMessage<'execute_request'>(message, true, false) as ShellFuture;
  // A future that is disposed rejects its promise; nobody may be waiting for it yet.
  future.done.catch(() => undefined);
  return future;
}

/**
 * What `CodeCell.execute` needs of a session: a kernel whose next request has been sent already.
 */
function contextOf(future: ShellFuture): ISessionContext {
  const kernel = { requestExecute: (): ShellFuture => future };
  return { session: { kernel } } as unknown as ISessionContext;
}

/** Wait, and take a cancelled request (restart, closed page) for what it is: the end, not a fault. */
async function settled<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch {
    return undefined;
  }
}
