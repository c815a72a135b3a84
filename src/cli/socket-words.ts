import type { ContextType } from '../contexts/context.js';
import { UsageError } from '../errors.js';
import { readAddress } from '../packet/addresses.js';

/** AF_INET and AF_INET6; SOCK_STREAM and SOCK_DGRAM with their IPPROTO_*. */
const FAMILIES = { 4: 2, 16: 10 } as const;
const PROTOCOLS = { tcp: { type: 1, protocol: 6 }, udp: { type: 2, protocol: 17 } } as const;

const WORDS = /^(tcp|udp)\s+(?:\[([^\]]*)\]|([^:\s]*)):(\d{1,5})$/i;

/** Whether a context is given in words and not as fields. */
export function isSocketWords(text: string): boolean {
  return /^(tcp|udp)\s/i.test(text);
}

/**
 * Context fields of a socket in words, `tcp 10.0.0.1:80` or `udp [fd00::1]:53`: the address a program of `bpf_sock_addr`
 * connects or sends to (`user_*`), or the local one of a `bpf_sock`. Throws UsageError for other words and contexts.
 */
export function socketContext(text: string, type: ContextType): Record<string, unknown> {
  const match = WORDS.exec(text);
  const address = match && readAddress(match[2] ?? match[3]!);
  if (!match || !address || Number(match[4]) > 65535)
    throw new UsageError(`--ctx takes a socket as 'tcp 10.0.0.1:80' or 'udp [fd00::1]:53', not '${text}'`);
  const fields = new Map(type.fields.map((field) => [field.name, field]));
  const prefix = ['user_', 'src_'].find((candidate) => fields.has(`${candidate}port`));
  if (!prefix) throw new UsageError(`--ctx '${text}' is for programs on sockets; this one takes ${type.name}`);
  const family = FAMILIES[address.length as 4 | 16];
  const addressField = `${prefix}${family === 2 ? 'ip4' : 'ip6'}`;
  if (!fields.get(addressField)?.reads.length)
    throw new UsageError(`--ctx '${text}': the program takes ${type.name}, without ${addressField}`);
  return {
    ...(fields.has('user_family') ? { user_family: family } : {}),
    family,
    ...PROTOCOLS[match[1]!.toLowerCase() as 'tcp' | 'udp'],
    [addressField]: (match[2] ?? match[3])!,
    [`${prefix}port`]: Number(match[4]),
  };
}
