/** An event of a stream of server-sent events. */
export interface StreamEvent {
  type: string;
  data: string;
}

/** The longest line that is kept, in characters. A server that sends more is given up. */
const MAX_LINE = 32 * 1024 * 1024;

/** Reads server-sent events (WHATWG HTML, 9.2.6) piece by piece. */
export class EventReader {
  #rest = '';
  #type = '';
  #data: string[] = [];

  /** The events that this piece completes. */
  *read(piece: string): Generator<StreamEvent> {
    this.#rest += piece;
    if (this.#rest.length > MAX_LINE) throw new Error('a line of the stream is too long');
    for (;;) {
      const end = /\r\n|\n|\r(?=[^])/.exec(this.#rest);
      if (!end) return;
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      const event = this.#line(line);
      if (event) yield event;
    }
  }

  #line(line: string): StreamEvent | undefined {
    if (line === '') {
      const event = { type: this.#type || 'message', data: this.#data.join('\n') };
      const isEvent = this.#data.length > 0;
      this.#type = '';
      this.#data = [];
      return isEvent ? event : undefined;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#type = value;
    if (field === 'data') this.#data.push(value);
    return undefined;
  }
}
