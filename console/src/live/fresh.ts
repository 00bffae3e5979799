import { untrack } from 'svelte';
import type { VariablesOf } from '../query/graphql';
import { follow } from './follow';

const SHORTEST_MS = 1500;
const LONGEST_MS = 15_000;

/**
 * Loads a list again when something has changed: soon after each change that the subscription
 * reports, and every 15 seconds for what leaves the list, until the returned function is called.
 */
export function keepFresh<Operation>(operation: Operation, variables: VariablesOf<Operation>, reload: () => Promise<unknown>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  let hasEnded = false;

  function plan(inMs: number) {
    const at = Date.now() + inMs;
    if (hasEnded || at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(load, inMs);
  }

  async function load() {
    due = Infinity;
    if (!document.hidden) await reload();
    plan(LONGEST_MS);
  }

  // A page calls this in an effect, which must not run again for the state of the connection.
  const end = untrack(() => follow({ operation, variables: () => variables, next: () => plan(SHORTEST_MS), opened: () => plan(SHORTEST_MS) }));
  plan(LONGEST_MS);
  return () => {
    hasEnded = true;
    clearTimeout(timer);
    untrack(end);
  };
}

/** Loads now and again and again while the page is seen, until the returned function is called. */
export function keepLoading(load: () => Promise<unknown>, everyMs = LONGEST_MS): () => void {
  untrack(() => void load());
  const timer = setInterval(() => {
    if (!document.hidden) void load();
  }, everyMs);
  return () => clearInterval(timer);
}
