/**
 * What a person is told beside the notebook. Lab cuts its notifications at 140 characters: the rest is one click away.
 */

import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';

const LONGEST = 140;
const SHOWN_MS = 10_000;

export interface Offer {
  label: string;
  callback: () => void;
}

export function tell(kind: 'info' | 'warning' | 'error', text: string, offer?: Offer): string {
  const more: Offer = {
    label: 'Read all',
    callback: () => void showDialog({ title: 'RLM', body: text, buttons: [Dialog.okButton({ label: 'Close' })] })
  };
  const actions = [...(text.length > LONGEST ? [more] : []), ...(offer ? [offer] : [])];
  return Notification[kind](text, { autoClose: actions.length ? false : SHOWN_MS, actions });
}
