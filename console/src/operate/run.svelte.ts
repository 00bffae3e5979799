import { Problem, isAbort, problemOf } from '../query/problem';
import { run, type Instruction, type Result, type Selection } from './batch';

/** The most results that are kept for the screen. */
const MAX_RESULTS = 2000;

/** A batch under way, for the screen. */
export class Run {
  state = $state<'none' | 'running' | 'done' | 'stopped' | 'failed'>('none');
  matches = $state<number | undefined>(undefined);
  /** The requests that wait for a second person. */
  asked = $state.raw<string[]>([]);
  accepted = $state(0);
  refused = $state(0);
  /** The last results, the latest last. */
  results = $state.raw<Result[]>([]);
  omitted = $state(0);
  problem = $state.raw<Problem | undefined>(undefined);
  #controller: AbortController | undefined;
  #last: string | undefined;
  #before: string | undefined;
  #given: { instruction: Instruction; selection: Selection } | undefined;
  #kept: Result[] = [];
  #isDrawn = true;

  get reported(): number {
    return this.accepted + this.refused;
  }

  async begin(instruction: Instruction, selection: Selection): Promise<void> {
    this.#given = { instruction, selection };
    if ('orders' in selection) this.matches = selection.orders.length;
    await this.#run();
  }

  /** Goes on after the last order that was reported. */
  async resume(): Promise<void> {
    await this.#run();
  }

  stop() {
    this.#controller?.abort();
  }

  async #run(): Promise<void> {
    const given = this.#given;
    if (!given) return;
    const controller = new AbortController();
    this.#controller = controller;
    this.state = 'running';
    this.problem = undefined;
    try {
      const resume = { after: this.#last, before: this.#before };
      for await (const report of run(given.instruction, given.selection, controller.signal, resume)) {
        if (report.kind === 'result') this.#add(report.result);
        else if (report.kind === 'asked') this.asked = [...this.asked, report.request];
        else if (this.#last === undefined && 'where' in given.selection) {
          this.matches = report.matches;
          this.#before = report.before;
        }
      }
      this.state = 'done';
    } catch (error) {
      this.state = controller.signal.aborted || isAbort(error) ? 'stopped' : 'failed';
      if (this.state === 'failed') this.problem = problemOf(error);
    } finally {
      this.results = [...this.#kept];
    }
  }

  #add(result: Result) {
    this.#last = result.orderId;
    if (result.isDone) this.accepted += 1;
    else this.refused += 1;
    this.#kept.push(result);
    if (this.#kept.length > MAX_RESULTS) {
      this.#kept.shift();
      this.omitted += 1;
    }
    if (!this.#isDrawn) return;
    this.#isDrawn = false;
    // Many results arrive between two frames; each frame draws them together.
    requestAnimationFrame(() => {
      this.#isDrawn = true;
      this.results = [...this.#kept];
    });
  }
}
