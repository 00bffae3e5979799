/** Whether a label has, for each word that was typed, a word that begins with it. */
export function matches(label: string, typed: string): boolean {
  const words = label.toLowerCase().split(/[^\p{L}\p{N}-]+/u);
  const wanted = typed.toLowerCase().split(/\s+/).filter((word) => word !== '');
  return wanted.every((part) => words.some((word) => word.startsWith(part)));
}
