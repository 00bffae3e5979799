import { follow } from '../../live/follow';
import { clock } from '../../parts/clock.svelte';
import { query } from '../../query/client';
import { isAbort, Problem, problemOf } from '../../query/problem';
import { operationsQuery, orderChanges, orderQuery, pastQuery, type Allowance, type Order, type OrderEvent, type Workflow } from './queries';

/** How many events are asked for at once, and how many are loaded without being asked for. */
const MAX_PAGE = 200;
const MAX_UNASKED = 10_000;
/** How many past states are kept. */
const MAX_PAST = 200;

/** An order on the page: as it is, with its events, and as it was. */
export class OrderModel {
  order = $state.raw<Order | undefined>(undefined);
  workflow = $state.raw<Workflow | undefined>(undefined);
  events = $state.raw<OrderEvent[]>([]);
  /** What can be done to it; empty: nothing, or it is not known. */
  allowances = $state.raw<Allowance[]>([]);
  /** Whether the log has more events than are loaded. */
  hasMore = $state(false);
  isMissing = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);
  /** The order as it was, while the page shows an earlier event. */
  past = $state.raw<Order | undefined>(undefined);
  pastProblem = $state.raw<Problem | undefined>(undefined);
  #pasts = new Map<number, Order>();
  #cursor: string | undefined;
  #page = MAX_PAGE;
  #isReading = false;
  #readsAgain = false;
  #ended = new AbortController();

  constructor(readonly id: string) {}

  /** Loads the order and follows it, until the returned function is called. */
  open(): () => void {
    let end: (() => void) | undefined;
    void this.#read(MAX_UNASKED).then(() => {
      if (this.#ended.signal.aborted || this.problem) return;
      end = follow({
        operation: orderChanges,
        variables: () => ({ id: this.id, from: this.order?.position ?? null }),
        next: () => void this.refresh(),
      });
    });
    return () => {
      this.#ended.abort();
      end?.();
    };
  }

  /** Reads what is new. Changes in quick succession are read together. */
  async refresh() {
    if (this.#isReading) {
      this.#readsAgain = true;
      return;
    }
    do {
      this.#readsAgain = false;
      await this.#read(this.hasMore ? 0 : this.events.length + MAX_UNASKED);
    } while (this.#readsAgain && !this.#ended.signal.aborted);
    clock.tick();
  }

  /** Loads the next events of a long history. */
  async more() {
    if (!this.#isReading) await this.#read(this.events.length + MAX_UNASKED);
  }

  /** Reads the order, and events until there are so many. */
  async #read(most: number) {
    this.#isReading = true;
    try {
      do {
        const first = this.events.length < most ? this.#page : 0;
        const { order } = await this.#readPage(first);
        this.problem = undefined;
        this.isMissing = order === null;
        if (!order) return;
        const { workflow, timeline, ...rest } = order;
        this.workflow ??= workflow;
        const last = this.events.at(-1)?.revision ?? -1;
        const fresh = timeline.nodes.filter((event) => event.revision > last);
        if (fresh.length > 0) this.events = [...this.events, ...fresh];
        this.#cursor = timeline.pageInfo.endCursor ?? this.#cursor;
        this.order = rest;
        if (first > 0) this.hasMore = timeline.pageInfo.hasNextPage;
      } while (this.hasMore && this.events.length < most);
      await this.#readAllowances();
    } catch (error) {
      if (!this.#ended.signal.aborted && !isAbort(error)) this.problem = problemOf(error);
    } finally {
      this.#isReading = false;
    }
  }

  /** Reads the order with so many events; with fewer, if they are too large for one answer. */
  async #readPage(first: number): ReturnType<typeof query<typeof orderQuery>> {
    try {
      return await query(orderQuery, { id: this.id, after: this.#cursor ?? null, first }, this.#ended.signal);
    } catch (error) {
      if (problemOf(error).code !== 'ANSWER_LIMIT' || first <= 1) throw error;
      this.#page = Math.ceil(first / 4);
      return this.#readPage(this.#page);
    }
  }

  /** Without the log they are not known, and the rest of the page still is. */
  async #readAllowances() {
    try {
      const { order } = await query(operationsQuery, { id: this.id }, this.#ended.signal);
      this.allowances = order?.operations ?? [];
    } catch (error) {
      if (isAbort(error)) throw error;
      this.allowances = [];
    }
  }

  /** Shows the order as it was after this event; `undefined`: as it is. */
  async goTo(revision: number | undefined) {
    this.pastProblem = undefined;
    if (revision === undefined) {
      this.past = undefined;
      return;
    }
    const known = this.#pasts.get(revision);
    if (known) {
      this.past = known;
      return;
    }
    try {
      const { order } = await query(pastQuery, { id: this.id, revision }, this.#ended.signal);
      if (!order) return;
      if (this.#pasts.size >= MAX_PAST) this.#pasts.clear();
      this.#pasts.set(revision, order);
      this.past = order;
    } catch (error) {
      if (!isAbort(error)) this.pastProblem = problemOf(error);
    }
  }
}
