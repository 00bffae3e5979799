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
