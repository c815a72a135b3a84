/** Context structures as data: what a program may read and write, and where the value comes from. */

/** How a field's value is shown and given. */
export type FieldFormat =
  | 'number'
  /** 16 bits in network order in the lower half of the field; given and shown as the port or EtherType number. */
  | 'be16'
  /** 16 bits in network order in the upper half of a 4-byte field (remote_port of sockets on little-endian hosts). */
  | 'be16high'
  | 'ipv4'
  | 'ipv6'
  | 'pointer';

export interface ContextField {
  readonly name: string;
  /** Byte offset in the structure as programs see it. */
  readonly offset: number;
  /** Bytes the structure gives the field (one element of an array). */
  readonly size: number;
  /** Elements, 1 unless it is an array. */
  readonly count: number;
  /** Bytes of the kernel's own field behind it; narrower than `size` for the quirky ones. */
  readonly backing: number;
  /** Access widths allowed; none = this program type must not touch the field. */
  readonly reads: readonly number[];
  readonly writes: readonly number[];
  /** Reads narrower than the field are allowed only below this offset within it (default: anywhere in the field). */
  readonly narrowEnd: number;
  readonly format: FieldFormat;
  /** 'packet': a read hands out a packet pointer; 'queue': the store rule of queue_mapping. */
  readonly access: 'plain' | 'packet' | 'queue';
  /** False for fields a run derives itself (lengths, pointers): they cannot be given. */
  readonly isInput: boolean;
  /** True for what BPF_PROG_TEST_RUN takes from ctx_in; anything else non-zero there is EINVAL. */
  readonly isTestRunInput: boolean;
}

/** 1, 2 and 4 bytes: what most fields allow. */
export const NARROW = [1, 2, 4] as const;

export type FieldOptions = Partial<Omit<ContextField, 'name' | 'offset'>>;

/** A 4-byte field that may be read in all narrow widths and not written, unless the options say otherwise. */
export function field(name: string, offset: number, options: FieldOptions = {}): ContextField {
  const size = options.size ?? 4;
  return {
    name,
    offset,
    size,
    count: 1,
    backing: size,
    reads: NARROW,
    writes: [],
    narrowEnd: size,
    format: 'number',
    access: 'plain',
    isInput: true,
    isTestRunInput: false,
    ...options,
  };
}

/** A field that is only read as a whole. */
export function whole(name: string, offset: number, options: FieldOptions = {}): ContextField {
  return field(name, offset, { reads: [options.size ?? 4], ...options });
}

/** An 8-byte pointer the machine fills in. */
export function pointer(name: string, offset: number, options: FieldOptions = {}): ContextField {
  return whole(name, offset, { size: 8, format: 'pointer', isInput: false, ...options });
}

/** An 8-byte pointer into packet data. */
export function packetPointer(name: string, offset: number): ContextField {
  return pointer(name, offset, { access: 'packet' });
}
