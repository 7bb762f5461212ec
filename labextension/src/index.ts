/**
 * The plugin: live cells, run bars, commands and the panel for notebooks on the RLM kernel, in JupyterLab and Notebook 7.
 */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Menu } from '@lumino/widgets';

import { CELL_MENU } from './cellcommands';
import { Notebook, addCommands } from './commands';
import { Decorations } from './decorations';
import { Dock } from './dock';
import { expandRuns } from './expand';
import { EXPAND_EVENT } from './mime';
import { notebookOf, watchMarks } from './passages';
import { Session } from './session';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'rlm-kernel:plugin',
  description: 'Live cells of recursive language models.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ICommandPalette, IMainMenu],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    palette: ICommandPalette | null,
    menu: IMainMenu | null
  ) => {
    const notebooks = new Map<NotebookPanel, Notebook>();
    const dock = new Dock(app.shell);
    const changed = addCommands(app, tracker, panel => notebooks.get(panel), dock, palette, menu);
    const cellMenu = makeMenu(app);

    const open = (panel: NotebookPanel): void => {
      const show = (modelId: string, reveal: boolean): void => {
        dock.show(panel, modelId, reveal).then(
          () => changed(),
          reason => console.warn('The RLM panel could not be shown.', reason)
        );
      };
      const session = new Session(panel, show);
      const decorations = new Decorations(session, (x, y) => cellMenu.open(x, y));
      notebooks.set(panel, { session, decorations });
      session.runs.changed.connect(() => changed());
      session.undones.changed.connect(() => changed());
      panel.content.activeCellChanged.connect(() => changed());
      panel.node.addEventListener(EXPAND_EVENT, event => {
        expandRuns(session.document, (event as CustomEvent<string>).detail);
      });
      panel.disposed.connect(() => {
        decorations.dispose();
        session.dispose();
        notebooks.delete(panel);
      });
    };

    watchMarks(node => notebookOf(notebooks, node)?.session);
    tracker.forEach(open);
    tracker.widgetAdded.connect((_, panel) => open(panel));
    tracker.currentChanged.connect((_, panel) => {
      dock.front(panel);
      changed();
    });
  }
};

function makeMenu({ commands }: JupyterFrontEnd): Menu {
  const menu = new Menu({ commands });
  menu.title.label = 'RLM';
  menu.addClass('rlm-CellMenu');
  CELL_MENU.forEach(command => menu.addItem(command ? { command } : { type: 'separator' }));
  return menu;
}

export default plugin;
