import { untrack } from 'svelte';
import type { VariablesOf } from '../query/graphql';
import { follow } from './follow';

/** How soon a list is loaded after a change. */
const SHORTEST_MS = 400;
const LONGEST_MS = 15_000;
/** How many times as long as a load took the server has a rest from this page. */
const REST = 4;

/**
 * Loads a list again when something has changed: soon after each change that the subscription
 * reports, and every 15 seconds for what leaves the list, until the returned function is called.
 */
export function keepFresh<Operation>(operation: Operation, variables: VariablesOf<Operation>, reload: () => Promise<unknown>): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;
  let tookMs = 0;
  let isLoading = false;
  let hasChanged = false;
  let hasEnded = false;

  function plan(inMs: number) {
    const at = Date.now() + inMs;
    if (hasEnded || at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(load, inMs);
  }

  function changed() {
    if (isLoading) hasChanged = true;
    else plan(Math.max(SHORTEST_MS, REST * tookMs));
  }

  async function load() {
    due = Infinity;
    isLoading = true;
    hasChanged = false;
    const begun = Date.now();
    if (!document.hidden) await reload();
    isLoading = false;
    tookMs = Math.min(Date.now() - begun, LONGEST_MS / REST);
    if (hasChanged) changed();
    plan(LONGEST_MS);
  }

  // A page calls this in an effect, which must not run again for the state of the connection.
  const end = untrack(() => follow({ operation, variables: () => variables, next: changed, opened: changed }));
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
