import type { Problem } from '../../query/problem';

/** A fault of a workflow file; line and column count from one. */
export interface Fault {
  line: number | undefined;
  column: number | undefined;
  /** Its place if it has no line. */
  place: string;
  detail: string;
}

/** The faults of a file that the server refuses. */
export function faultsOf(problem: Problem): Fault[] {
  if (problem.faults.length === 0) return [{ line: undefined, column: undefined, place: '', detail: problem.message }];
  return problem.faults.map(({ pointer, detail }) => {
    const at = /^line (\d+), column (\d+)$/.exec(pointer);
    return { line: at ? Number(at[1]) : undefined, column: at ? Number(at[2]) : undefined, place: at ? '' : pointer, detail };
  });
}
