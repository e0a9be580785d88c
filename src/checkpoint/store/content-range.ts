/** The first byte of `Content-Range: bytes 4-9/10`; undefined for anything else. */
export function parseContentRange(header: string | null | undefined): number | undefined {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(?:\d{1,15}|\*)$/.exec(header ?? '');
  return match === null ? undefined : Number(match[1]);
}
