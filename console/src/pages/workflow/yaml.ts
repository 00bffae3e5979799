/** The parts of a line of a workflow file, for the eye: keys, comments and the rest. */
export interface Part {
  kind: 'key' | 'comment' | 'text';
  text: string;
}

export function partsOf(line: string): Part[] {
  const comment = commentAt(line);
  const code = comment < 0 ? line : line.slice(0, comment);
  const key = /^(\s*(?:- )?)([\w.-]+)(?=:(\s|$))/.exec(code);
  const parts: Part[] = [];
  if (key) {
    parts.push({ kind: 'text', text: key[1] ?? '' }, { kind: 'key', text: key[2] ?? '' }, { kind: 'text', text: code.slice(key[0].length) });
  } else {
    parts.push({ kind: 'text', text: code });
  }
  if (comment >= 0) parts.push({ kind: 'comment', text: line.slice(comment) });
  return parts.filter((part) => part.text !== '');
}

/** Where a comment begins: at a `#` that is outside quotes, after a space or at the beginning. */
function commentAt(line: string): number {
  let quote = '';
  for (let index = 0; index < line.length; index += 1) {
    const char = line[index] ?? '';
    if (quote !== '') {
      if (char === '\\' && quote === '"') index += 1;
      else if (char === quote) quote = '';
    } else if (char === '"' || (char === "'" && /[\s:[{,]$/.test(line.slice(0, index)))) quote = char;
    else if (char === '#' && (index === 0 || /\s/.test(line[index - 1] ?? ''))) return index;
  }
  return -1;
}
