// @ts-check
/** Going from failure to failure. */

/**
 * Choose the next failure of the question below the chosen line; after the last one comes the first.
 *
 * @param {import('./panel').Ctx} ctx
 */
export function nextFailure(ctx) {
  const store = ctx.state;
  const { outline } = store;
  const failures = outline.failures(store.shownRun()?.id ?? null);
  if (!failures.length) return;
  const key = store.batches.get(store.chosen ?? '')?.ids[0] ?? store.chosen;
  const next = (key !== null && outline.firstAfter(failures, key)) || failures[0];
  if (outline.looking && !outline.wanted().has(next)) outline.look({ filter: 'none', search: '', found: null });
  ctx.choose(next, { reveal: true, focus: true });
  ctx.say(`Failure ${failures.indexOf(next) + 1} of ${failures.length}`);
}
