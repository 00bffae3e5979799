import { keepFresh } from '../../live/fresh';
import { clock } from '../../parts/clock.svelte';
import { query } from '../../query/client';
import { isAbort, Problem, problemOf } from '../../query/problem';
import { columnsIn, sortIn } from './columns';
import { NotACondition, whereOf } from './filter';
import { listChanges, ordersQuery, type Page, type Row } from './queries';
import { texts } from './texts';

const PAGE = 50;
/** A row of the list as it stands: its place stays, whatever happens to its order. */
export interface Shown {
  row: Row;
  /** It does not match any more. */
  hasLeft: boolean;
  /** It changed a moment ago. */
  isFresh: boolean;
}

/** A page of orders that stays still while orders change: rows are updated in their places. */
export class OrderList {
  rows = $state.raw<Shown[] | undefined>(undefined);
  pageInfo = $state.raw<Page['pageInfo'] | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  /** How many orders match now that the list does not show. */
  waiting = $state(0);
  isLoading = $state(false);
  #address: URLSearchParams | undefined;
  #latest: Page | undefined;
  #controller = new AbortController();

  /** Shows the orders of this address, and follows them until the returned function is called. */
  open(address: URLSearchParams): () => void {
    this.#address = address;
    this.#controller.abort();
    const own = new AbortController();
    this.#controller = own;
    let end: (() => void) | undefined;
    void this.#read(true).then(() => {
      if (own.signal.aborted || this.problem?.kind === 'refused') return;
      end = keepFresh(listChanges, { where: whereOf(address, Date.now()) }, () => this.#read(false));
    });
    return () => {
      own.abort();
      end?.();
    };
  }

  /** Shows the orders as they match now. */
  showLatest() {
    if (this.#latest) this.#show(this.#latest);
  }

  retry() {
    void this.#read(true);
  }

  async #read(isFirst: boolean) {
    const address = this.#address;
    const signal = this.#controller.signal;
    if (!address) return;
    this.isLoading = isFirst;
    try {
      const columns = columnsIn(address);
      const [after, before] = [address.get('after'), address.get('before')];
      const { orders } = await query(
        ordersQuery,
        {
          where: whereOf(address, Date.now()),
          orderBy: sortIn(address),
          ...(before === null ? { first: PAGE, after } : { last: PAGE, before }),
          withLines: columns.includes('lines'),
          withSteps: columns.includes('steps'),
        },
        signal,
      );
      if (signal.aborted) return;
      this.problem = undefined;
      if (isFirst || !this.rows) this.#show(orders);
      else this.#update(orders);
      clock.tick();
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      this.problem = error instanceof NotACondition ? new Problem('refused', texts.notACondition(error.message)) : problemOf(error);
    } finally {
      if (!signal.aborted) this.isLoading = false;
    }
  }

  #show(page: Page) {
    this.#latest = page;
    this.rows = page.nodes.map((row) => ({ row, hasLeft: false, isFresh: false }));
    this.pageInfo = page.pageInfo;
    this.waiting = 0;
  }

  #update(page: Page) {
    this.#latest = page;
    const now = new Map(page.nodes.map((row) => [row.id, row]));
    const shown = new Set(this.rows?.map(({ row }) => row.id));
    this.rows = this.rows?.map(({ row }) => {
      const latest = now.get(row.id);
      return { row: latest ?? row, hasLeft: !latest, isFresh: latest !== undefined && latest.position !== row.position };
    });
    this.waiting = page.nodes.filter((row) => !shown.has(row.id)).length;
    // An empty list has no rows that could jump.
    if (shown.size === 0) this.#show(page);
  }
}
