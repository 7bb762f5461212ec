/**
 * The marks behind the citations of an answer: a click shows in the panel what stands in the document.
 */

import type { NotebookPanel } from '@jupyterlab/notebook';

import type { Session } from './session';
import { tell } from './tell';

const LINK = '#rlm-passage=';
const NO_KERNEL =
  'The document is shown while the kernel runs. Start it, then click again; what became of the citation is in the text of the mark.';

/**
 * Take the clicks on marks, before the notebook and the browser do: they would go to another place of the page.
 *
 * @param find gives the session of the notebook that an element belongs to
 */
export function watchMarks(find: (node: Element) => Session | undefined): void {
  const onClick = (event: MouseEvent): void => {
    const target = event.target instanceof Element ? event.target : null;
    const link = target?.closest(`a[href^="${LINK}"]`);
    const session = link && find(link);
    if (!link || !session) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const [runId, number] = readMark(link.getAttribute('href') ?? '');
    if (!runId || !session.send({ type: 'passage', run_id: runId, number })) {
      tell('info', NO_KERNEL);
    }
  };
  document.addEventListener('click', onClick, true);
}

/** The notebook that an element belongs to. */
export function notebookOf<T>(notebooks: Map<NotebookPanel, T>, node: Element): T | undefined {
  for (const [panel, notebook] of notebooks) {
    if (panel.node.contains(node)) {
      return notebook;
    }
  }
  return undefined;
}

function readMark(href: string): [string, number] {
  const mark = href.slice(LINK.length);
  const at = mark.lastIndexOf(':');
  try {
    return [decodeURIComponent(mark.slice(0, at)), Number.parseInt(mark.slice(at + 1), 10)];
  } catch {
    return ['', 0]; // no mark of ours
  }
}
