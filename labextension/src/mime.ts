/**
 * One quiet line in place of the JSON of a run that came as an output.
 */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { RUN_MIME, RunOutput } from './protocol';

/** Fired on the line's node when the person asks for cells; the detail is the id of the run. */
export const EXPAND_EVENT = 'rlm-expand';

class RunLine extends Widget implements IRenderMime.IRenderer {
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const run = model.data[RUN_MIME] as unknown as RunOutput | undefined;
    const cells = Array.isArray(run?.cells) ? run.cells.length : 0;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'rlm-Button';
    button.textContent = `Show as ${cells} ${cells === 1 ? 'cell' : 'cells'}`;
    button.onclick = () => {
      this.node.dispatchEvent(new CustomEvent(EXPAND_EVENT, { bubbles: true, detail: run?.run_id ?? '' }));
    };
    this.addClass('rlm-RunLine');
    this.node.replaceChildren('The working of this answer came as output. ', button);
    return Promise.resolve();
  }
}

const extension: IRenderMime.IExtension = {
  id: 'rlm-kernel:run-output',
  description: 'Shows a run that was made without live cells as one line.',
  rendererFactory: {
    safe: true,
    mimeTypes: [RUN_MIME],
    createRenderer: () => new RunLine()
  },
  rank: 0,
  dataType: 'json'
};

export default extension;
