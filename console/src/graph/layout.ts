/** Where the steps of a workflow are drawn: in layers, so that each step is after those before it. */

export interface Node {
  id: string;
  after: readonly string[];
}

export interface Sizes {
  /** Of a node. */
  width: number;
  height: number;
  /** Between two layers. */
  gap: number;
  /** Between two nodes of a layer. */
  space: number;
  /** Whether layers go from the top to the bottom, and not from left to right. */
  isVertical?: boolean;
}

export interface Placed {
  id: string;
  x: number;
  y: number;
}

export interface Edge {
  from: string;
  to: string;
  path: string;
}

export interface Layout {
  nodes: Placed[];
  edges: Edge[];
  width: number;
  height: number;
}

/** A node or a bend of an edge, in its layer. */
interface Item {
  layer: number;
  /** Across the layers. */
  place: number;
  isBend: boolean;
  before: Item[];
  behind: Item[];
}

/** How often the order within the layers is improved. */
const SWEEPS = 6;
/** An edge over more layers is one curve. */
const MAX_BENDS = 12;

export function layout(nodes: readonly Node[], sizes: Sizes): Layout {
  const layers = layersOf(nodes);
  const rows: Item[][] = Array.from({ length: Math.max(-1, ...layers.values()) + 1 }, () => []);
  const items = new Map<string, Item>();
  for (const node of nodes) {
    const item: Item = { layer: layers.get(node.id) ?? 0, place: 0, isBend: false, before: [], behind: [] };
    items.set(node.id, item);
    rows[item.layer]?.push(item);
  }
  const edges: { from: string; to: string; along: Item[] }[] = [];
  for (const node of nodes) {
    for (const before of node.after) {
      const [from, to] = [items.get(before), items.get(node.id)];
      if (from && to && from.layer < to.layer) edges.push({ from: before, to: node.id, along: bent(from, to, rows) });
    }
  }
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) sort(rows, sweep % 2 === 0);
  const across = sizes.isVertical ? sizes.width : sizes.height;
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) place(rows, sweep % 2 === 0, across, sizes.space);
  const least = Math.min(0, ...rows.flat().map((item) => item.place));
  for (const item of rows.flat()) item.place -= least;
  return drawn(nodes, items, edges, rows, sizes);
}

/** The layer of each node: one more than the last of those before it. A node in a circle is first. */
function layersOf(nodes: readonly Node[]): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const layers = new Map<string, number>();
  const under = new Set<string>();
  const layer = (id: string): number => {
    const known = layers.get(id);
    if (known !== undefined) return known;
    if (under.has(id)) return 0;
    under.add(id);
    const before = (byId.get(id)?.after ?? []).filter((other) => byId.has(other)).map(layer);
    const own = before.length === 0 ? 0 : Math.max(...before) + 1;
    under.delete(id);
    layers.set(id, own);
    return own;
  };
  for (const node of nodes) layer(node.id);
  return layers;
}

/** An edge with a bend in each layer that it crosses, unless there are very many. */
function bent(from: Item, to: Item, rows: Item[][]): Item[] {
  const along = [from];
  const isLong = to.layer - from.layer > MAX_BENDS;
  for (let layer = from.layer + 1; layer < to.layer && !isLong; layer += 1) {
    const bend: Item = { layer, place: 0, isBend: true, before: [], behind: [] };
    rows[layer]?.push(bend);
    along.push(bend);
  }
  along.push(to);
  for (let index = 1; index < along.length; index += 1) {
    const [left, right] = [along[index - 1] as Item, along[index] as Item];
    left.behind.push(right);
    right.before.push(left);
  }
  return along;
}

/** Orders each layer after the middle of its neighbours, so that few edges cross. */
function sort(rows: Item[][], isForward: boolean) {
  const position = new Map(rows.flatMap((row) => row.map((item, index) => [item, index] as const)));
  for (const row of isForward ? rows : [...rows].reverse()) {
    const wanted = new Map(
      row.map((item, index) => {
        const neighbours = isForward ? item.before : item.behind;
        return [item, mean(neighbours.map((other) => position.get(other) ?? 0)) ?? index] as const;
      }),
    );
    row.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
    row.forEach((item, index) => position.set(item, index));
  }
}

/** Places each node across from the middle of its neighbours, as far as there is room. */
function place(rows: Item[][], isForward: boolean, across: number, space: number) {
  const size = (item: Item) => (item.isBend ? across * 0.5 : across);
  for (const row of isForward ? rows : [...rows].reverse()) {
    const wanted = row.map((item) => mean((isForward ? item.before : item.behind).map((other) => other.place)) ?? item.place);
    let edge = -Infinity;
    row.forEach((item, index) => {
      const half = size(item) / 2;
      item.place = Math.max(wanted[index] ?? 0, edge + half);
      edge = item.place + half + space;
    });
    const shift = mean(row.map((item, index) => (wanted[index] ?? 0) - item.place)) ?? 0;
    for (const item of row) item.place += shift;
  }
}

function mean(values: number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function drawn(
  nodes: readonly Node[],
  items: Map<string, Item>,
  edges: { from: string; to: string; along: Item[] }[],
  rows: Item[][],
  { width, height, gap, isVertical = false }: Sizes,
): Layout {
  const [along, across] = isVertical ? [height, width] : [width, height];
  const point = (item: Item, isEnd: boolean): [number, number] => {
    const main = item.layer * (along + gap) + (item.isBend ? along / 2 : isEnd ? along : 0);
    return isVertical ? [item.place + across / 2, main] : [main, item.place + across / 2];
  };
  const placed = nodes.map(({ id }) => {
    const item = items.get(id) as Item;
    const main = item.layer * (along + gap);
    return isVertical ? { id, x: item.place, y: main } : { id, x: main, y: item.place };
  });
  const paths = edges.map(({ from, to, along: through }) => {
    let path = '';
    for (let index = 1; index < through.length; index += 1) {
      const [a, b] = [point(through[index - 1] as Item, true), point(through[index] as Item, false)];
      path += `${index === 1 ? `M${a[0]} ${a[1]}` : ''}${curve(a, b, isVertical)}`;
    }
    return { from, to, path };
  });
  const most = Math.max(0, ...rows.flat().map((item) => item.place)) + across;
  const length = rows.length * (along + gap) - gap;
  return { nodes: placed, edges: paths, width: isVertical ? most : Math.max(0, length), height: isVertical ? Math.max(0, length) : most };
}

function curve(a: [number, number], b: [number, number], isVertical: boolean): string {
  const middle = isVertical ? (a[1] + b[1]) / 2 : (a[0] + b[0]) / 2;
  const [c, d] = isVertical ? [[a[0], middle], [b[0], middle]] : [[middle, a[1]], [middle, b[1]]];
  return `C${[...(c as number[]), ...(d as number[]), ...b].map((value) => Math.round(value * 10) / 10).join(' ')}`;
}
