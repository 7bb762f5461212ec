/**
 * The commands of a run: in the palette, in the Kernel menu, and by key (see schema/plugin.json).
 */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { IMainMenu } from '@jupyterlab/mainmenu';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { deciding, rerunning } from './cellcommands';
import type { Decorations } from './decorations';
import type { Dock } from './dock';
import { isModelCell, rlmOf } from './document';
import { expandRuns, hasRunOutputs } from './expand';
import type { Steering } from './protocol';
import { tellFault } from './rerun';
import type { Run } from './runs';
import type { Session } from './session';

/** What belongs to one notebook. */
export interface Notebook {
  session: Session;
  decorations: Decorations;
}

export interface Command {
  id: string;
  label: string;
  caption: string;
  enabled: (notebook: Notebook) => boolean;
  execute: (notebook: Notebook) => void;
}

const CATEGORY = 'RLM';

/**
 * Add the commands.
 *
 * @returns a function that tells Lab that what is enabled may have changed.
 */
export function addCommands(
  app: JupyterFrontEnd,
  tracker: INotebookTracker,
  find: (panel: NotebookPanel) => Notebook | undefined,
  dock: Dock,
  palette: ICommandPalette | null,
  menu: IMainMenu | null
): () => void {
  const current = (): Notebook | undefined => (tracker.currentWidget ? find(tracker.currentWidget) : undefined);
  const groups = [[...steering(), ...deciding()], rerunning(), [...working(), showPanel(dock)]];
  const all = groups.flat();
  for (const { id, label, caption, enabled, execute } of all) {
    app.commands.addCommand(id, {
      label,
      caption,
      describedBy: { args: { type: 'object', properties: {} } },
      isVisible: () => current()?.session.isOurKernel ?? false,
      isEnabled: () => {
        const notebook = current();
        return !!notebook && enabled(notebook);
      },
      execute: () => {
        const notebook = current();
        if (notebook && enabled(notebook)) {
          execute(notebook);
        }
      }
    });
    palette?.addItem({ command: id, category: CATEGORY });
  }
  groups.forEach((group, index) => {
    menu?.kernelMenu.addGroup(
      group.map(({ id }) => ({ command: id })),
      20 + index
    );
  });
  return () => all.forEach(({ id }) => app.commands.notifyCommandChanged(id));
}

function steering(): Command[] {
  const make = (what: Steering, label: string, caption: string, when: string[]): Command => ({
    id: `rlm:${what}`,
    label,
    caption,
    enabled: ({ session }) => !!session.runs.live && when.includes(session.runs.live.state),
    execute: ({ session }) => session.steer(what)
  });
  const toggle: Command = {
    id: 'rlm:toggle-pause',
    label: 'RLM: Pause or resume run',
    caption: 'Pause the run, or let it go on',
    enabled: ({ session }) => !!session.runs.live,
    execute: ({ session }) => session.steer(session.runs.live?.state === 'paused' ? 'resume' : 'pause')
  };
  return [
    make('pause', 'RLM: Pause run', 'Pause before the next token, cell or call', ['running']),
    make('resume', 'RLM: Resume run', 'Let the run go on', ['paused']),
    toggle,
    make('step', 'RLM: Step', 'Let one cell or call through, then pause again', ['paused']),
    make('stop', 'RLM: Stop run', 'Stop the run; its cells and what was paid for stay', ['running', 'paused']),
    {
      id: 'rlm:steer',
      label: 'RLM: Steer…',
      caption: 'Tell the model something with its next turn',
      enabled: ({ session }) => !!session.runs.live?.anchorId,
      execute: ({ session, decorations }) => {
        const anchor = session.runs.live!.anchorId!;
        void session.document.reveal(anchor).then(() => decorations.barOf(anchor)?.askSteer());
      }
    },
    {
      id: 'rlm:go-on',
      label: 'RLM: Raise and continue…',
      caption: 'Go on with the run of the selected cell that ended before its answer, with higher limits',
      enabled: notebook => !!endedRun(notebook),
      execute: notebook => void notebook.session.rerun.goOn(endedRun(notebook)!).catch(tellFault)
    }
  ];
}

function working(): Command[] {
  return [
    {
      id: 'rlm:toggle-working',
      label: 'RLM: Fold/unfold the working',
      caption: 'Hide or show the cells of the run at the selected cell',
      enabled: notebook => !!selectedAnchor(notebook),
      execute: notebook => notebook.decorations.toggleWorking(selectedAnchor(notebook)!)
    },
    {
      id: 'rlm:remove-cells',
      label: 'RLM: Remove model cells of this run',
      caption: 'Delete the cells the model wrote for the selected question',
      enabled: notebook => !!selectedAnchor(notebook) && !notebook.session.runs.live,
      execute: notebook => {
        const anchor = selectedAnchor(notebook);
        const { document } = notebook.session;
        document.remove(cell => isModelCell(cell) && rlmOf(cell).anchor === anchor, true);
      }
    },
    {
      id: 'rlm:expand-runs',
      label: 'RLM: Expand run outputs into cells',
      caption: 'Turn runs that came as output into real cells',
      enabled: ({ session }) => hasRunOutputs(session.document),
      execute: ({ session }) => {
        expandRuns(session.document);
      }
    }
  ];
}

function showPanel(dock: Dock): Command {
  return {
    id: 'rlm:show-panel',
    label: 'RLM: Show RLM panel',
    caption: 'Show the tree of calls beside the notebook',
    enabled: ({ session }) => dock.has(session.panel) || session.isConnected,
    execute: ({ session }) => {
      if (!dock.has(session.panel)) {
        return session.askPanel();
      }
      dock.front(session.panel);
      dock.reveal();
    }
  };
}

/** The run at the selected cell, where it ended without an answer. */
function endedRun({ session }: Notebook): Run | undefined {
  const cell = session.panel.content.activeCell?.model;
  const run = cell && session.runs.ofAnchor((isModelCell(cell) && rlmOf(cell).anchor) || cell.id);
  const open = run && (run.limits.length > 0 || (!!run.outcome && run.outcome !== 'answered'));
  return open && session.isConnected && !session.runs.live ? run : undefined;
}

/** The `%%rlm` cell that the selected cell is, or belongs to, where that question has a working. */
function selectedAnchor({ session }: Notebook): string | undefined {
  const cell = session.panel.content.activeCell?.model;
  if (!cell) {
    return undefined;
  }
  const anchor = isModelCell(cell) ? rlmOf(cell).anchor : cell.id;
  return anchor && session.document.workingOf(anchor).length ? anchor : undefined;
}
