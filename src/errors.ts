/** Base of all errors offkernel throws on purpose: bad input, never a bug of offkernel itself. */
export class OffkernelError extends Error {
  override name = 'OffkernelError';
}

/** Where in an object something is wrong; every field is optional. */
export interface Place {
  /** File name as the user gave it. */
  file?: string;
  section?: string;
  program?: string;
  map?: string;
  /** Instruction index within the program. */
  instruction?: number;
  /** Byte offset within the section (or the file when no section is named). */
  offset?: number;
  /** C source place, `file.c:12`. */
  source?: string;
}

/** An object, BTF blob or packet that cannot be read. Message: what is wrong; {@link place}: where. */
export class LoadError extends OffkernelError {
  override name = 'LoadError';
  readonly reason: string;
  readonly place: Place;

  constructor(reason: string, place: Place = {}, options?: ErrorOptions) {
    super(describe(reason, place), options);
    this.reason = reason;
    this.place = place;
  }

  /** The same error with more of the place known; inner fields win. */
  at(place: Place): LoadError {
    return new LoadError(this.reason, { ...place, ...this.place }, { cause: this.cause });
  }
}

/** Wrong use of the library or command line: unknown program, map, field, option ... */
export class UsageError extends OffkernelError {
  override name = 'UsageError';
}

/** A map operation refused, as the kernel would refuse it. */
export class MapError extends OffkernelError {
  override name = 'MapError';
  readonly map: string;
  /** errno name, such as `E2BIG`. */
  readonly code: string;

  constructor(map: string, code: string, action: string) {
    super(`map ${map}: ${action}: ${code}`);
    this.map = map;
    this.code = code;
  }
}

function describe(reason: string, place: Place): string {
  const parts: string[] = [];
  if (place.file) parts.push(place.file);
  if (place.section) parts.push(`section ${place.section}`);
  if (place.program) parts.push(`program ${place.program}`);
  if (place.map) parts.push(`map ${place.map}`);
  if (place.instruction !== undefined) parts.push(`insn ${place.instruction}`);
  if (place.offset !== undefined) parts.push(`offset ${place.offset}`);
  if (place.source) parts.push(place.source);
  return parts.length ? `${parts.join(', ')}: ${reason}` : reason;
}
