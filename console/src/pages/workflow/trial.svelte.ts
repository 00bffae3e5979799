/** A backtest or a test at the server. The result arrives while it runs. */
import { postForLines } from '../../query/http';
import { isAbort, Problem, problemOf } from '../../query/problem';
import type { DefinedStep } from './changes';
import { texts } from './texts';

/** What every line has: each is the whole result so far. */
export interface Progress {
  state: 'running' | 'done' | 'stopped' | 'failed';
  /** Why it ended early, or failed. */
  reason?: string;
  definition: { workflow: string; version: number; steps: DefinedStep[] };
  percent?: number;
}

/** How an order ended, or would end. */
export interface End {
  status: string;
  state: string;
  /** Otherwise, this is as far as it can be known. */
  known: boolean;
}

/** An order that differs. */
export interface Example {
  order: string;
  revision: number;
  then: string[];
  now: string[];
  endedThen: End;
  endedNow: End;
}

/** `POST /workflows/backtest` */
export interface Backtest extends Progress {
  orders?: number;
  same?: number;
  differs?: number;
  unknown?: number;
  differsAt?: { step: string | null; orders: number; examples: Example[] }[];
  unknownOf?: { action: string; because: string; orders: number; examples: string[] }[];
  broken?: { reason: string; orders: number; examples: string[] }[];
  ends?: { then: End; now: End; orders: number; totals: { currency: string; amount: string }[] }[];
}

/** `POST /workflows/test` */
export interface FaultTest extends Progress {
  cases?: number;
  wrong?: number;
  kinds?: { kind: string; cases: number; wrong: number }[];
  failures?: { case: string; wrong: string[]; history: string[] }[];
  neverBegun?: string[];
}

/** How often a busy server is asked again. */
const TRIES = 5;
const PAUSE_MS = 1000;

export class Trial<Result extends Progress> {
  result = $state.raw<Result | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  isRunning = $state(false);
  readonly #path: string;
  #controller: AbortController | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Begins. A run before it ends. */
  async run(body: object): Promise<void> {
    this.stop();
    const controller = new AbortController();
    this.#controller = controller;
    this.isRunning = true;
    this.result = undefined;
    this.problem = undefined;
    try {
      for await (const line of begun(this.#path, body, controller.signal)) {
        if (controller.signal.aborted) return;
        this.result = line as unknown as Result;
      }
      if (this.#isOpen()) throw new Problem('network', texts.trial.interrupted);
    } catch (error) {
      if (!controller.signal.aborted && !isAbort(error)) this.problem = problemOf(error);
    } finally {
      if (this.#controller === controller) this.isRunning = false;
    }
  }

  stop() {
    this.#controller?.abort();
    this.isRunning = false;
  }

  #isOpen(): boolean {
    return this.result === undefined || this.result.state === 'running';
  }
}

/** The server ends a run a moment after its client has left; until then it answers 503. */
async function* begun(path: string, body: object, signal: AbortSignal): AsyncGenerator<Record<string, unknown>> {
  for (let tries = 1; ; tries += 1) {
    try {
      yield* postForLines(path, body, signal);
      return;
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 503 || tries === TRIES) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    signal.throwIfAborted();
  }
}
