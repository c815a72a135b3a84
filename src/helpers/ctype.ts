/** Character classes as lib/ctype.c has them: ISO 8859-1, so that 0xa0 is a blank. */

export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 9 && byte <= 13) || byte === 0xa0;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function isPunctuation(byte: number): boolean {
  if (byte >= 0x21 && byte <= 0x7e) return !isAlphanumeric(byte);
  return (byte >= 0xa1 && byte <= 0xbf) || byte === 0xd7 || byte === 0xf7;
}

export function isAlphanumeric(byte: number): boolean {
  if (isDigit(byte)) return true;
  const lower = byte | 0x20;
  if (lower >= 0x61 && lower <= 0x7a && byte < 0x80) return true;
  return byte >= 0xc0 && byte <= 0xff && byte !== 0xd7 && byte !== 0xf7;
}

export function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte <= 0x7e) || byte >= 0xa0;
}
