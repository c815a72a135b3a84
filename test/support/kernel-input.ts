import { encodeValue } from '../../src/btf/value.js';
import { readElf } from '../../src/elf/elf.js';
import type { ObjectSpec } from '../../src/object/spec.js';

/** An object file with configuration written into its section, as a loader that freezes it would; unknown names are left out. */
export function configuredObject(
  file: Uint8Array,
  spec: ObjectSpec,
  config: Readonly<Record<string, unknown>>,
): Uint8Array {
  const bytes = new Uint8Array(file);
  const { sections } = readElf(bytes, spec.name);
  for (const [label, value] of Object.entries(config)) {
    const variable = spec.variables.find((candidate) => candidate.label === label);
    const section = variable && sections.find(({ name }) => name === variable.section);
    section?.data.set(encodeValue(spec.btf!, variable!.typeId, value), variable!.offset);
  }
  return bytes;
}

/** Fields of struct __sk_buff that BPF_PROG_TEST_RUN takes. */
export interface TestRunFields {
  mark?: number;
  priority?: number;
  ingressIfindex?: number;
  ifindex?: number;
  cb?: readonly number[];
  /** Nanoseconds. */
  tstamp?: bigint;
  hwtstamp?: bigint;
}

const AT = { mark: 8, priority: 32, ingressIfindex: 36, ifindex: 40, cb: 48, tstamp: 152, hwtstamp: 184 } as const;
const SIZE = 192;

/** A context for BPF_PROG_TEST_RUN; on the loopback device unless another is named. */
export function skbContext(fields: TestRunFields): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(AT.ifindex, fields.ifindex ?? 1, true);
  for (const name of ['mark', 'priority', 'ingressIfindex'] as const) view.setUint32(AT[name], fields[name] ?? 0, true);
  for (const [n, word] of (fields.cb ?? []).entries()) view.setUint32(AT.cb + 4 * n, word, true);
  for (const name of ['tstamp', 'hwtstamp'] as const) view.setBigUint64(AT[name], fields[name] ?? 0n, true);
  return bytes;
}

/** The fields of a context after a run that programs can change. */
export function skbFieldsOf(context: Uint8Array): Required<Pick<TestRunFields, 'mark' | 'priority' | 'cb' | 'tstamp'>> {
  const view = new DataView(context.buffer, context.byteOffset, context.byteLength);
  return {
    mark: view.getUint32(AT.mark, true),
    priority: view.getUint32(AT.priority, true),
    cb: [0, 1, 2, 3, 4].map((n) => view.getUint32(AT.cb + 4 * n, true)),
    tstamp: view.getBigUint64(AT.tstamp, true),
  };
}
