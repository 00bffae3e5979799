import { expect, test } from 'vitest';
import { changesOf, stepsOfBoth, type Definition } from './changes';

function definition(...lines: string[]): Definition {
  const steps = lines.filter((line) => /^ {2}\w/.test(line)).map((line) => ({ id: line.trim().split(':')[0] ?? '', after: [], compensated: false }));
  return { steps, source: ['steps:', ...lines].join('\n') };
}

const left = definition('  a: { call: p.a }', '  b: { call: p.b } # then', '  c:', '    call: p.c');
const right = definition('  d: { call: p.d }', '  a: { call: p.a }', '  b: { call: p.b }', '  c:', '    call: p.d');

test('steps are added, removed and changed, and comments do not count', () => {
  expect([...changesOf(left, right)]).toEqual([['d', 'added'], ['c', 'changed']]);
  expect([...changesOf(right, left)]).toEqual([['c', 'changed'], ['d', 'removed']]);
});

test('one graph has the steps of both, each once', () => {
  expect(stepsOfBoth(right, left).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
});
