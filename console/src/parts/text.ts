/** Texts of others, made harmless: control characters are shown as symbols, and not obeyed. */

const NAMED: Record<number, string> = { 0x7f: '␡' };

/** Whether a character would change how the text around it is shown. */
function isHidden(code: number): boolean {
  return (
    (code >= 0x80 && code <= 0x9f) || code === 0xad || code === 0x61c || (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code === 0xfeff || (code >= 0xfff9 && code <= 0xfffb)
  );
}

/** A text as it is shown. A zero-width joiner stays between emoji, which it belongs to. */
export function shown(text: string, keepsLines = false): string {
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code === 0x0a && keepsLines) out += char;
    else if (code === 0x09 && keepsLines) out += char;
    else if (code < 0x20) out += String.fromCodePoint(0x2400 + code);
    else if (NAMED[code]) out += NAMED[code];
    else if (code === 0x200d) out += char;
    else if (isHidden(code) || (code >= 0xd800 && code <= 0xdfff)) out += `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
    else out += char;
  }
  return out;
}

/** At most so many characters, with a mark where some are missing. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const chars = [...text.slice(0, most * 2)];
  return chars.length <= most && text.length <= most * 2 ? text : `${chars.slice(0, most - 1).join('')}…`;
}
