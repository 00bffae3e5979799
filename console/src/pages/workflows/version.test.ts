import { expect, test } from 'vitest';
import { nextVersion } from './version';

test('the version of a file is counted on, and nothing else', () => {
  expect(nextVersion('workflow: a\nversion: 9 # old\nsteps:\n  version: { call: a.b }\n')).toBe('workflow: a\nversion: 10 # old\nsteps:\n  version: { call: a.b }\n');
});
