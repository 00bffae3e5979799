/** A workflow file with the number after its version: the beginning of the next version. */
export function nextVersion(source: string): string {
  return source.replace(/^(version:[ \t]*)(\d{1,9})/m, (_, key: string, version: string) => `${key}${Number(version) + 1}`);
}
