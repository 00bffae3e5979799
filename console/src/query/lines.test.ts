import { expect, test } from 'vitest';
import { linesOf } from './lines';

async function read(pieces: string[]): Promise<string[]> {
  const stream = new ReadableStream<string>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const lines: string[] = [];
  for await (const line of linesOf(stream)) lines.push(line);
  return lines;
}

test('a line that arrives in pieces is one line', async () => {
  expect(await read(['{"a"', ':1}\n{"b":2}', '\n', '\n'])).toEqual(['{"a":1}', '{"b":2}']);
});

test('a last line without its end is a line too', async () => {
  expect(await read(['one\ntw', 'o'])).toEqual(['one', 'two']);
});
