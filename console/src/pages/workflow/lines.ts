import { partsOf } from './yaml';

/** The line of a workflow file at which a step begins, if it is found. */
export function lineOf(source: string, step: string): number | undefined {
  let isInSteps = false;
  for (const [index, line] of source.split('\n').entries()) {
    if (/^\S/.test(line) && !line.startsWith('#')) isInSteps = /^(steps|compensated):/.test(line);
    const key = /^ +["']?([^\s"':#]+)["']?:(?:\s|$)/.exec(line);
    if (isInSteps && key?.[1] === step) return index + 1;
  }
  return undefined;
}

/** The lines of a step, without comments and empty lines. A step that is not found has none. */
export function blockOf(source: string, step: string): string {
  const first = lineOf(source, step);
  if (first === undefined) return '';
  const [head = '', ...rest] = source.split('\n').slice(first - 1).map(withoutComment).filter((line) => line !== '');
  const depth = indentation(head);
  const end = rest.findIndex((line) => indentation(line) <= depth);
  return [head, ...(end < 0 ? rest : rest.slice(0, end))].map((line) => line.slice(depth)).join('\n');
}

function withoutComment(line: string): string {
  return partsOf(line).flatMap((part) => (part.kind === 'comment' ? [] : [part.text])).join('').trimEnd();
}

const indentation = (line: string) => line.length - line.trimStart().length;
