import { expect, test } from 'vitest';
import { difference, folded, type Row } from './diff';

const short = (rows: Row[]) => rows.map((row) => `${{ same: ' ', removed: '-', added: '+' }[row.kind]}${row.text}`);
const side = (rows: Row[], without: Row['kind']) => rows.filter((row) => row.kind !== without).map((row) => row.text).join('\n');

test('what was removed, added and kept is reported line by line', () => {
  const rows = difference('a\nb\nc\nd', 'a\nx\nc\nd\ne');
  expect(short(rows)).toEqual([' a', '-b', '+x', ' c', ' d', '+e']);
  expect(rows.map((row) => [row.left, row.right])).toEqual([[1, 1], [2, undefined], [undefined, 2], [3, 3], [4, 4], [undefined, 5]]);
});

test('the rows give both texts again, for any texts', () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
  for (let round = 0; round < 300; round += 1) {
    const text = () => Array.from({ length: random(12) }, () => 'abcd'[random(4)]).join('\n');
    const [left, right] = [text(), text()];
    const rows = difference(left, right);
    expect(side(rows, 'added')).toBe(left);
    expect(side(rows, 'removed')).toBe(right);
  }
});

test('texts without a common line are replaced as a whole', () => {
  const text = (name: string) => Array.from({ length: 3000 }, (_, index) => `${name}${index}`).join('\n');
  const rows = difference(text('a'), text('b'));
  expect(rows.length).toBe(6000);
});

test('lines far from each difference are folded', () => {
  const lines = Array.from({ length: 30 }, (_, index) => `${index}`);
  const rows = difference(lines.join('\n'), lines.with(15, 'x').join('\n'));
  const parts = folded(rows);
  expect(parts.map((part) => (part.kind === 'fold' ? part.rows.length : 1))).toEqual([12, 1, 1, 1, 1, 1, 1, 1, 1, 11]);
});
