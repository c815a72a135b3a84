/** BTF types (Documentation/bpf/btf.rst), one per BTF_KIND. Ids index the type section; 0 is void. Sizes are bytes. */
interface Named {
  readonly id: number;
  /** '' for anonymous types. */
  readonly name: string;
}

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  /** Offset from the start of the struct, in bits. */
  readonly bitOffset: number;
  /** Width of a bitfield, 0 for ordinary members. */
  readonly bitSize: number;
}

export interface BtfEnumerator {
  readonly name: string;
  readonly value: bigint;
}

export type BtfType = Named &
  (
    | { readonly kind: 'void' }
    | {
        readonly kind: 'int';
        readonly size: number;
        readonly signed: boolean;
        readonly isChar: boolean;
        readonly isBool: boolean;
        readonly bits: number;
        readonly bitOffset: number;
      }
    | { readonly kind: 'ptr'; readonly type: number }
    | { readonly kind: 'array'; readonly type: number; readonly indexType: number; readonly count: number }
    | { readonly kind: 'struct' | 'union'; readonly size: number; readonly members: readonly BtfMember[] }
    | {
        readonly kind: 'enum' | 'enum64';
        readonly size: number;
        readonly signed: boolean;
        readonly values: readonly BtfEnumerator[];
      }
    | { readonly kind: 'fwd'; readonly isUnion: boolean }
    | { readonly kind: 'typedef' | 'volatile' | 'const' | 'restrict' | 'typeTag'; readonly type: number }
    | { readonly kind: 'func'; readonly type: number; readonly linkage: number }
    | {
        readonly kind: 'funcProto';
        readonly type: number;
        readonly parameters: readonly { readonly name: string; readonly type: number }[];
      }
    | { readonly kind: 'var'; readonly type: number; readonly linkage: number }
    | {
        readonly kind: 'datasec';
        readonly size: number;
        readonly variables: readonly { readonly type: number; readonly offset: number; readonly size: number }[];
      }
    | { readonly kind: 'float'; readonly size: number }
    | { readonly kind: 'declTag'; readonly type: number; readonly component: number }
  );

export type BtfKind = BtfType['kind'];
export type BtfStruct = Extract<BtfType, { kind: 'struct' | 'union' }>;
export type BtfEnum = Extract<BtfType, { kind: 'enum' | 'enum64' }>;

/** Kinds that only modify or rename another type. */
export function isModifier(
  type: BtfType,
): type is Extract<BtfType, { kind: 'typedef' | 'volatile' | 'const' | 'restrict' | 'typeTag' }> {
  return (
    type.kind === 'typedef' ||
    type.kind === 'volatile' ||
    type.kind === 'const' ||
    type.kind === 'restrict' ||
    type.kind === 'typeTag'
  );
}
