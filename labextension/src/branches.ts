/**
 * What the kernel tells of branches: another one is to be shown, or the state of cells is not what they say any more.
 */

import { rlmOf } from './document';
import { markWritten } from './marks';
import type { MessageOf } from './protocol';
import type { Run } from './runs';
import type { Session } from './session';

/** Another branch was chosen: its cells and outputs take the place of those that stand there. */
export function showBranch(session: Session, message: MessageOf<'show'>): void {
  const { document, runs, kernel, live } = session;
  const { run_id, anchor_cell_id, text } = message;
  const anchor = anchor_cell_id ? document.codeCell(anchor_cell_id) : undefined;
  if (!anchor) {
    return;
  }
  const ids = () => document.workingOf(anchor.id).map(cell => cell.id);
  const owner = runs.ofAnchor(anchor.id)?.owner ?? kernel?.clientId ?? '';
  if (session.mayChange(owner)) {
    live.release(ids());
    document.replaceWorking(anchor, run_id, message, 'kernel');
    ids().forEach(id => markWritten(document, id));
  }
  runs.show(run_id, anchor.id, text, owner);
}

/** Mark these cells of the run, and no others. */
export function markStale({ document, runs }: Session, run: Run, message: MessageOf<'stale'>): void {
  const stale = new Set(message.cell_ids);
  for (const cell of document.cells()) {
    const meta = rlmOf(cell);
    const now = { stale: stale.has(cell.id), ran: cell.id === message.edited_cell_id };
    if (meta.run_id === run.id && (now.stale !== !!meta.stale || now.ran !== !!meta.ran)) {
      document.annotate(cell.id, now);
    }
  }
  runs.update(run, {});
}
