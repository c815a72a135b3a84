import { readElf } from '../../src/elf/elf.js';
import type { LoadedObject } from '../../src/machine/machine.js';

/** An object file with the configuration that it was loaded with in a machine, in its read-only sections. */
export function configuredObject(file: Uint8Array, object: LoadedObject): Uint8Array {
  const bytes = new Uint8Array(file);
  for (const { name, data } of readElf(bytes, object.spec.name).sections) {
    const values = name.startsWith('.rodata') ? object.maps.get(name)?.getBytes(new Uint8Array(4)) : undefined;
    if (values) data.set(values);
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
