/** The difference between two texts, line by line (Myers, "An O(ND) Difference Algorithm", 1986). */

export interface Row {
  kind: 'same' | 'removed' | 'added';
  /** The number of the line in the old text, and in the new one. */
  left?: number;
  right?: number;
  text: string;
}

/** Lines that are the same and far from each difference. */
export interface Fold {
  kind: 'fold';
  rows: Row[];
}

/** Past this many differences the rest counts as replaced, so that the time stays bounded. */
const MAX_DIFFERENCES = 500;

export function difference(left: string, right: string): Row[] {
  const [a, b] = [left.split('\n'), right.split('\n')];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const rows: Row[] = [];
  for (let index = 0; index < start; index += 1) rows.push(same(a, index, index));
  rows.push(...middle(a, b, start, a.length - end, b.length - end));
  for (let index = end; index > 0; index -= 1) rows.push(same(a, a.length - index, b.length - index));
  return rows;
}

const same = (a: string[], left: number, right: number): Row => ({ kind: 'same', left: left + 1, right: right + 1, text: a[left] ?? '' });

/** The rows of `a[from..endA]` and `b[from..endB]`. */
function middle(a: string[], b: string[], from: number, endA: number, endB: number): Row[] {
  const [n, m] = [endA - from, endB - from];
  const traces: Map<number, number>[] = [];
  let reach = new Map<number, number>([[1, 0]]);
  for (let d = 0; d <= Math.min(n + m, MAX_DIFFERENCES); d += 1) {
    traces.push(new Map(reach));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? (reach.get(k + 1) ?? 0) : (reach.get(k - 1) ?? 0) + 1;
      while (x < n && x - k < m && a[from + x] === b[from + x - k]) x += 1;
      reach.set(k, x);
      if (x >= n && x - k >= m) return back(a, b, from, n, m, traces);
    }
    reach = new Map(reach);
  }
  const rows: Row[] = [];
  for (let index = from; index < endA; index += 1) rows.push({ kind: 'removed', left: index + 1, text: a[index] ?? '' });
  for (let index = from; index < endB; index += 1) rows.push({ kind: 'added', right: index + 1, text: b[index] ?? '' });
  return rows;
}

function back(a: string[], b: string[], from: number, n: number, m: number, traces: Map<number, number>[]): Row[] {
  const rows: Row[] = [];
  let [x, y] = [n, m];
  for (let d = traces.length - 1; d >= 0; d -= 1) {
    const reach = traces[d] as Map<number, number>;
    const k = x - y;
    const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const beforeX = d === 0 ? 0 : (reach.get(before) ?? 0);
    const beforeY = d === 0 ? 0 : beforeX - before;
    while (x > beforeX && y > beforeY) rows.push(same(a, from + --x, from + --y));
    if (d === 0) break;
    if (down) rows.push({ kind: 'added', right: from + y, text: b[from + --y] ?? '' });
    else rows.push({ kind: 'removed', left: from + x, text: a[from + --x] ?? '' });
  }
  return rows.reverse();
}

/** How many lines around a difference are shown. */
const CONTEXT = 3;

/** The rows with what is far from each difference folded. */
export function folded(rows: readonly Row[]): (Row | Fold)[] {
  const near = rows.map(() => false);
  rows.forEach((row, index) => {
    if (row.kind !== 'same') near.fill(true, Math.max(0, index - CONTEXT), index + CONTEXT + 1);
  });
  const out: (Row | Fold)[] = [];
  rows.forEach((row, index) => {
    const last = out.at(-1);
    if (near[index]) out.push(row);
    else if (last?.kind === 'fold') last.rows.push(row);
    else out.push({ kind: 'fold', rows: [row] });
  });
  return out.flatMap((part) => (part.kind === 'fold' && part.rows.length === 1 ? part.rows : [part]));
}
