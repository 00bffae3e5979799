import { isAbort, Problem, problemOf } from './problem';

/**
 * Something that a page loads: nothing yet, a value, or a problem. A later load ends the one before,
 * and keeps its value on the screen meanwhile.
 */
export class Load<Value> {
  value = $state.raw<Value | undefined>(undefined);
  problem = $state.raw<Problem | undefined>(undefined);
  isLoading = $state(false);
  #controller: AbortController | undefined;

  async run(load: (signal: AbortSignal) => Promise<Value>): Promise<Value | undefined> {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    this.isLoading = true;
    try {
      const value = await load(controller.signal);
      if (controller.signal.aborted) return undefined;
      this.value = value;
      this.problem = undefined;
      return value;
    } catch (error) {
      if (!controller.signal.aborted && !isAbort(error)) this.problem = problemOf(error);
      return undefined;
    } finally {
      if (this.#controller === controller) this.isLoading = false;
    }
  }

  /** Ends a load under way. */
  end() {
    this.#controller?.abort();
    this.isLoading = false;
  }
}
