import { expect, test } from 'vitest';
import { EventReader } from './events';

function read(...pieces: string[]) {
  const reader = new EventReader();
  return pieces.flatMap((piece) => [...reader.read(piece)]);
}

test('events are read whole, wherever the stream is cut', () => {
  const stream = ':\n\nevent: next\ndata: {"a":\ndata: 1}\n\nevent: complete\ndata: \ndata: \n\n';
  const expected = [
    { type: 'next', data: '{"a":\n1}' },
    { type: 'complete', data: '\n' },
  ];
  expect(read(stream)).toEqual(expected);
  expect(read(...stream)).toEqual(expected);
  expect(read(...stream.replaceAll('\n', '\r\n'))).toEqual(expected);
});

test('an event that is not complete is kept back', () => {
  expect(read('event: next\ndata: 1\n')).toEqual([]);
});
