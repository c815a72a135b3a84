import type { Btf } from '../btf/btf.js';

/**
 * A parsed object: plain, immutable, deterministic, dependent on the file alone. Machines are made from it; nothing
 * here is live. Sizes are bytes, offsets are bytes from the start of what is named, integers are host-readable numbers.
 */
export interface ObjectSpec {
  /** Name given by the caller, usually the file name. */
  readonly name: string;
  /** Text of the `license` section, '' if absent. */
  readonly license: string;
  /** Every function with instructions, entry or not, in section and offset order. */
  readonly functions: readonly FunctionSpec[];
  /** The functions that can be entered from outside. */
  readonly programs: readonly ProgramSpec[];
  /** Maps in the order of the object, inner map definitions included (marked `template`). */
  readonly maps: readonly MapSpec[];
  /** Global variables and load-time constants, by symbol. */
  readonly variables: readonly VariableSpec[];
  /** kconfig and ksym externs and kfuncs. */
  readonly externs: readonly ExternSpec[];
  /** BTF of the object, undefined if it has none. */
  readonly btf: Btf | undefined;
  /** CO-RE relocations that could not be resolved: reported, the instruction is poisoned. */
  readonly warnings: readonly string[];
}

export interface FunctionSpec {
  /** Symbol name. Unique within (section); `.text` functions may share names with none. */
  readonly name: string;
  readonly section: string;
  /** Byte offset within the section. */
  readonly offset: number;
  /** Raw instructions, 8 bytes each (ld_imm64 two slots), little-endian, after CO-RE, before linking. */
  readonly instructions: Uint8Array;
  /** What the linker must fill in, sorted by instruction. */
  readonly relocations: readonly Relocation[];
  /** Line info, sorted by instruction; each entry holds until the next one. */
  readonly lines: readonly LineInfo[];
  /** BTF FUNC type id, 0 if unknown. */
  readonly btfId: number;
  /** static in C (LOCAL symbol). */
  readonly isLocal: boolean;
}

export interface LineInfo {
  /** Instruction index within the function. */
  readonly instruction: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Source text of the line, as BTF.ext carries it ('' if it does not). */
  readonly text: string;
}

export type Relocation = { readonly instruction: number } & (
  | { readonly kind: 'map'; readonly map: string }
  /** Address of byte `offset` of data section map `map` (element 0). */
  | { readonly kind: 'data'; readonly map: string; readonly offset: number }
  /** Address-as-value (Cilium up to 1.16): the immediate becomes the variable's value, zero-extended. */
  | {
      readonly kind: 'constant';
      readonly section: string;
      readonly offset: number;
      readonly size: number;
      readonly variable: string | undefined;
    }
  /** bpf-to-bpf call; index into ObjectSpec.functions. */
  | { readonly kind: 'call'; readonly function: number }
  /** Function address for a callback; index into ObjectSpec.functions. */
  | { readonly kind: 'callback'; readonly function: number }
  | { readonly kind: 'kfunc'; readonly name: string }
  | { readonly kind: 'ksym'; readonly name: string }
  | { readonly kind: 'kconfig'; readonly name: string }
);

export interface ProgramSpec {
  readonly name: string;
  readonly section: string;
  /** Index into ObjectSpec.functions. */
  readonly function: number;
  /** Kernel program type name without BPF_PROG_TYPE_, lower case: 'sched_cls', 'xdp', 'cgroup_sock_addr' ... 'unspec' if unknown. */
  readonly type: string;
  /** Attach type for cgroup hooks: 'cgroup_inet4_connect' ...; undefined where the type says it all. */
  readonly attachType: string | undefined;
  /** SEC("xdp.frags") and the like. */
  readonly frags: boolean;
  /** Tail-call slots this program fills by itself (numbered section, decl tag, static `values`). */
  readonly slots: readonly { readonly map: string; readonly slot: number }[];
}

export interface MapSpec {
  readonly name: string;
  /** BPF_MAP_TYPE_* number. */
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  /** 0 where the object leaves it open (PERF_EVENT_ARRAY: number of CPUs). */
  readonly maxEntries: number;
  readonly flags: number;
  readonly extra: bigint;
  /** 0 none, 1 by name, 16 Cilium's "replace", 2 legacy global namespace. */
  readonly pinning: number;
  /** Id of the legacy definition (numbered sections, map-in-map), 0 if none. */
  readonly legacyId: number;
  /** Where it was defined. */
  readonly origin: 'btf' | 'legacy' | 'data';
  /** BTF type ids of key and value, 0 if unknown. */
  readonly keyTypeId: number;
  readonly valueTypeId: number;
  /** Inner map definition of map-in-map, undefined if unknown. */
  readonly inner: MapSpec | undefined;
  /** True for a definition that only serves as inner template. */
  readonly template: boolean;
  /** Static contents of prog arrays and map-in-map: slot -> program or map name. */
  readonly values: readonly { readonly slot: number; readonly program?: string; readonly map?: string }[];
  /** Initial bytes of element 0 for data section maps (.data, .rodata ...). */
  readonly data: Uint8Array | undefined;
  /** Read-only for programs after loading (.rodata*). */
  readonly readOnly: boolean;
}

export interface VariableSpec {
  /** Symbol name as in the ELF file (`__config_endpoint_id`). */
  readonly name: string;
  /** Name a user would give: without `__config_`. */
  readonly label: string;
  /** Data section it lives in (also the name of the data map). */
  readonly section: string;
  readonly offset: number;
  readonly size: number;
  /** BTF type id, 0 if unknown. */
  readonly typeId: number;
  /** Load-time configuration constant of any era (as opposed to an ordinary global). */
  readonly isConfig: boolean;
  /** decl tags of the variable (`kind:object`, description ...). */
  readonly tags: readonly string[];
  /** Initial bytes. */
  readonly initial: Uint8Array;
}

export interface ExternSpec {
  readonly name: string;
  readonly kind: 'kconfig' | 'ksym' | 'kfunc';
  readonly weak: boolean;
  readonly typeId: number;
}
