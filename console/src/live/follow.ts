import type { ResultOf, VariablesOf } from '../query/graphql';
import { dataOf, requestFor, type Answer } from '../query/client';
import { isAbort, Problem, problemIn, problemOf } from '../query/problem';
import { session } from '../app/session.svelte';
import { connection } from './connection.svelte';
import { EventReader } from './events';

/** How long a hidden page keeps its stream: a browser has few connections to one server. */
const HIDDEN_MS = 30_000;
/** A stream that sends no line for so long is lost: an idle one has a line every 15 seconds. */
const SILENCE_MS = 40_000;
const SHORTEST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** What a page does with a subscription. */
export interface Follower<Operation> {
  operation: Operation;
  /** The variables of the next stream: after an interruption, with the last position. */
  variables(): VariablesOf<Operation>;
  next(data: ResultOf<Operation>): void;
  /** The server refuses the subscription; another attempt would be refused too. */
  refused?(problem: Problem): void;
  /** The stream is open, for the first time or again. */
  opened?(): void;
}

/**
 * Follows a subscription until the returned function is called. It reconnects, pauses while the page
 * is hidden for long, and reports its state to the frame.
 */
export function follow<Operation>(follower: Follower<Operation>): () => void {
  let stream: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;
  let hasEnded = false;

  async function open() {
    stream?.abort();
    const own = new AbortController();
    stream = own;
    connection.opening();
    try {
      await read(follower, own.signal, () => {
        failures = 0;
        connection.opened();
        follower.opened?.();
      });
      if (!own.signal.aborted) later();
    } catch (error) {
      if (own.signal.aborted || isAbort(error)) return;
      const problem = problemOf(error);
      if (problem.kind !== 'refused' && problem.kind !== 'credentials') return later();
      end();
      follower.refused?.(problem);
    } finally {
      own.abort();
    }
  }

  function later() {
    connection.lost();
    const pause = Math.min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** failures);
    failures += 1;
    timer = setTimeout(open, pause * (0.5 + Math.random() / 2));
  }

  function visibility() {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => stream?.abort(), HIDDEN_MS);
    } else if (!stream || stream.signal.aborted) {
      void open();
    }
  }

  function end() {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(timer);
    stream?.abort();
    document.removeEventListener('visibilitychange', visibility);
    connection.closed();
  }

  document.addEventListener('visibilitychange', visibility);
  void open();
  return end;
}

async function read<Operation>(follower: Follower<Operation>, signal: AbortSignal, opened: () => void) {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Problem('time', 'silence')), SILENCE_MS);
  };
  alive();
  try {
    const response = await fetch('/graphql', {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        ...(session.token === undefined ? {} : { authorization: `Bearer ${session.token}` }),
      },
      body: requestFor(follower.operation, follower.variables()),
      signal: AbortSignal.any([signal, silence.signal]),
      redirect: 'error',
    });
    if (response.status === 401) session.refused();
    if (!response.ok || !response.body) throw await problemIn(response);
    opened();
    const reader = new EventReader();
    const text = response.body.pipeThrough(new TextDecoderStream());
    for await (const piece of pieces(text)) {
      alive();
      for (const event of reader.read(piece)) {
        if (event.type === 'next') follower.next(dataOf<Operation>(JSON.parse(event.data) as Answer));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

async function* pieces(stream: ReadableStream<string>): AsyncGenerator<string> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
