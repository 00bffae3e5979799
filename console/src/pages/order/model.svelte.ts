import { follow } from '../../live/follow';
import { clock } from '../../parts/clock.svelte';
import { query } from '../../query/client';
import { isAbort, Problem, problemOf } from '../../query/problem';
import { earlierQuery, operationsQuery, orderChanges, orderQuery, pastQuery, type Allowance, type Order, type OrderEvent, type Workflow } from './queries';

/** How many events are read at once, and how many are loaded without being asked for. */
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
  /** Whether the log has earlier events than are loaded, and whether they are being loaded. */
  hasEarlier = $state(false);
  isReadingEarlier = $state(false);
  isMissing = $state(false);
  problem = $state.raw<Problem | undefined>(undefined);
  /** The order as it was, while the page shows an earlier event. */
  past = $state.raw<Order | undefined>(undefined);
  pastProblem = $state.raw<Problem | undefined>(undefined);
  #pasts = new Map<number, Order>();
  /** The places of the first and of the last event that are loaded. */
  #first: string | null = null;
  #last: string | null = null;
  #page = MAX_PAGE;
  /** How many events are wanted; and the earliest that the page shows the order as of. */
  #wanted = MAX_UNASKED;
  #earliest = Infinity;
  #isReading = false;
  #readsAgain = false;
  #ended = new AbortController();

  constructor(readonly id: string) {}

  /** Loads the order and follows it, until the returned function is called. */
  open(): () => void {
    let end: (() => void) | undefined;
    void this.#read().then(() => {
      if (this.#ended.signal.aborted || (this.problem && !this.order)) return;
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
      await this.#read();
    } while (this.#readsAgain && !this.#ended.signal.aborted);
    clock.tick();
  }

  /** Loads the earlier events of a very long history. */
  more() {
    this.#wanted = this.events.length + MAX_UNASKED;
    void this.#readEarlier();
  }

  /** Reads the order with its latest events, or with those that are new. Earlier ones follow. */
  async #read() {
    this.#isReading = true;
    try {
      let hasNext: boolean;
      do {
        const { order } = await this.#readPage((size) => {
          const range = this.#last === null ? { last: size } : { first: size, after: this.#last };
          return query(orderQuery, { id: this.id, ...range }, this.#ended.signal);
        });
        this.problem = undefined;
        this.isMissing = order === null;
        if (!order) return;
        const { workflow, timeline, ...rest } = order;
        this.workflow ??= workflow;
        if (this.#first === null) {
          this.#first = timeline.pageInfo.startCursor;
          this.hasEarlier = timeline.pageInfo.hasPreviousPage;
        }
        this.#last = timeline.pageInfo.endCursor ?? this.#last;
        if (timeline.nodes.length > 0) this.events = [...this.events, ...timeline.nodes];
        this.order = rest;
        hasNext = timeline.pageInfo.hasNextPage;
      } while (hasNext);
      void this.#readEarlier();
      await this.#readAllowances();
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isReading = false;
    }
  }

  /** Reads earlier events, the latest of them first, until all that are wanted are there. */
  async #readEarlier() {
    if (this.isReadingEarlier) return;
    this.isReadingEarlier = true;
    try {
      while (this.hasEarlier && (this.events.length < this.#wanted || this.#earliest < (this.events[0]?.revision ?? 0))) {
        const { order } = await this.#readPage((last) => query(earlierQuery, { id: this.id, last, before: this.#first }, this.#ended.signal));
        if (!order) return;
        const { nodes, pageInfo } = order.timeline;
        this.#first = pageInfo.startCursor ?? this.#first;
        this.events = [...nodes, ...this.events];
        this.hasEarlier = pageInfo.hasPreviousPage;
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.isReadingEarlier = false;
    }
  }

  #failed(error: unknown) {
    if (!this.#ended.signal.aborted && !isAbort(error)) this.problem = problemOf(error);
  }

  /** Reads a page of events; one of fewer, if they are too large for one answer. */
  async #readPage<Answer>(read: (size: number) => Promise<Answer>): Promise<Answer> {
    const size = this.#page;
    try {
      return await read(size);
    } catch (error) {
      if (problemOf(error).code !== 'ANSWER_LIMIT' || size <= 1) throw error;
      this.#page = Math.ceil(size / 4);
      return this.#readPage(read);
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
    this.#earliest = Math.min(this.#earliest, revision);
    void this.#readEarlier();
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
