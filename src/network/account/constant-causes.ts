import { ipv4OfNumber } from '../../cilium/values.js';
import { fieldOf, layersOf, parsePacket } from '../../packet/parse.js';
import type { EntryOf } from './journeys.js';
import type { WalkRecord } from './record.js';

/** A value of the packet that a drop reason compares with a load-time constant of the program. */
interface Comparison {
  readonly constants: RegExp;
  /** What the packet has, with its name. */
  readonly subject: (hook: EntryOf<'hook'>) => string | undefined;
}

const sourceOf =
  (protocol: 'ipv4' | 'ipv6') =>
  ({ step }: EntryOf<'hook'>): string | undefined => {
    const [ip] = layersOf(parsePacket(step.before.bytes), protocol);
    const source = ip && fieldOf(ip, 'src')?.text;
    return source && `source ${source}`;
  };

/** By the reason's name; constants as in objects up to 1.17 and from 1.18 on. */
const COMPARISONS: Readonly<Record<string, readonly Comparison[]>> = {
  INVALID_SIP: [
    { constants: /^(endpoint_ipv4|LXC_IPV4)$/, subject: sourceOf('ipv4') },
    { constants: /^(endpoint_ipv6|LXC_IP_\d)$/, subject: sourceOf('ipv6') },
  ],
  VLAN_FILTERED: [
    {
      constants: /^vlan_allowed$/,
      subject: ({ step }) => step.before.vlan && `VLAN ${step.before.vlan.tci & 0xfff}`,
    },
  ],
};

/** Constants that the program was loaded with and that the packet does not agree with, in words. */
export function constantCauses(record: WalkRecord, hook: EntryOf<'hook'>, reason: string | undefined): string[] {
  const constants = Object.entries(record.constantsOf?.(hook) ?? {});
  return (COMPARISONS[reason ?? ''] ?? []).flatMap(({ constants: names, subject }) => {
    const given = subject(hook);
    const own = constants.filter(([name]) => names.test(name));
    if (given === undefined || !own.length) return [];
    return [
      `${given} does not fit the program's constant ${own.map(([name, value]) => `${name} = ${textOf(value)}`).join(', ')}`,
    ];
  });
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(' ');
  return typeof value === 'number' && value > 0xffffff ? ipv4OfNumber(value) : String(value);
}
