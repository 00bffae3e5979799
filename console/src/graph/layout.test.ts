import { expect, test } from 'vitest';
import { layout, type Node } from './layout';

const sizes = { width: 100, height: 40, gap: 20, space: 10 };
const fulfilment: Node[] = [
  { id: 'create', after: [] },
  { id: 'charge', after: ['create'] },
  { id: 'ship', after: ['charge'] },
  { id: 'shipped', after: ['ship', 'backorder'] },
  { id: 'mail', after: ['shipped'] },
  { id: 'backorder', after: ['ship'] },
  { id: 'mail-backorder', after: ['backorder'] },
];

function overlaps(nodes: { id: string; x: number; y: number }[]) {
  const pairs = nodes.flatMap((a, index) => nodes.slice(index + 1).map((b) => [a, b] as const));
  return pairs.filter(([a, b]) => Math.abs(a.x - b.x) < sizes.width && Math.abs(a.y - b.y) < sizes.height).map(([a, b]) => [a.id, b.id]);
}

test('each step is behind those before it, and covers no other', () => {
  for (const isVertical of [false, true]) {
    const { nodes, edges } = layout(fulfilment, { ...sizes, isVertical });
    const at = (id: string) => nodes.find((node) => node.id === id) as { x: number; y: number };
    for (const node of fulfilment) {
      for (const before of node.after) {
        const [first, second] = [at(before), at(node.id)];
        expect(isVertical ? second.y - first.y : second.x - first.x, `${before} → ${node.id}`).toBeGreaterThan(0);
      }
    }
    if (!isVertical) expect(overlaps(nodes)).toEqual([]);
    expect(edges).toHaveLength(7);
  }
});

test('steps side by side, long chains and unknown steps are drawn within the area', () => {
  const wide: Node[] = Array.from({ length: 40 }, (_, index) => ({ id: `s${index}`, after: index === 0 ? [] : ['s0'] }));
  const long: Node[] = Array.from({ length: 200 }, (_, index) => ({ id: `s${index}`, after: index === 0 ? ['gone'] : [`s${index - 1}`, 's0'] }));
  for (const steps of [wide, long, []]) {
    const { nodes, width, height } = layout(steps, sizes);
    expect(nodes).toHaveLength(steps.length);
    expect(overlaps(nodes)).toEqual([]);
    for (const node of nodes) {
      expect(node.x).toBeGreaterThanOrEqual(0);
      expect(node.y).toBeGreaterThanOrEqual(0);
      expect(node.x + sizes.width).toBeLessThanOrEqual(width);
      expect(node.y + sizes.height).toBeLessThanOrEqual(height + 0.001);
    }
  }
});

test('a circle ends', () => {
  expect(layout([{ id: 'a', after: ['b'] }, { id: 'b', after: ['a'] }], sizes).nodes).toHaveLength(2);
});
