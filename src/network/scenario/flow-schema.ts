import { z } from 'zod';
import { readFlags } from '../../packet/grammar.js';
import { address, flag, fraction, mac, name, number32, port } from './values.js';

const client = z
  .strictObject({ pod: name.optional(), external: name.optional(), node: name.optional() })
  .refine(
    (value) => Object.values(value).filter((item) => item !== undefined).length === 1,
    'expected one of pod, external, node',
  );

const target = z
  .strictObject({
    service: name.optional(),
    pod: name.optional(),
    /** The node's own address: a NodePort, or the host itself. */
    node: name.optional(),
    external: name.optional(),
    address: address.optional(),
    /** Not for ICMP. */
    port: port.optional(),
  })
  .refine(
    ({ port: _, ...value }) => Object.values(value).filter((item) => item !== undefined).length === 1,
    'expected one of service, pod, node, external, address',
  );

/** One packet of a flow as its sender sends it; what is left out is computed as the sender's kernel would. */
const packet = z.strictObject({
  from: z.enum(['client', 'server']).default('client'),
  /** TCP flags in tcpdump's letters: S, S., P., F., R ... */
  flags: z
    .string()
    .refine((value) => readFlags(value) !== undefined, 'expected TCP flags such as S, S., P., F.')
    .optional(),
  seq: number32.optional(),
  ack: number32.optional(),
  window: z.number().int().min(0).max(65535).optional(),
  /** TCP options as in packet descriptions: mss:1410,sackOK,TS:1:0,nop,wscale:7. */
  options: z.string().optional(),
  /** Text of the payload. */
  payload: z.string().optional(),
  /** Payload as hex digits. */
  payloadHex: z
    .string()
    .regex(/^([0-9a-f]{2})*$/i, 'expected hex digits')
    .optional(),
  /** Payload of so many bytes. */
  length: z.number().int().min(0).max(65000).optional(),
  ttl: z.number().int().min(1).max(255).optional(),
  dontFragment: flag.optional(),
  /** IPv4 fragment: offset in bytes and whether more follow. */
  fragment: z.strictObject({ offset: z.number().int().min(0).max(65528), more: flag.default(false) }).optional(),
  /** 802.1Q tag. */
  vlan: z.number().int().min(1).max(4094).optional(),
  /** ICMP type: echo request unless the packet is the server's. */
  icmpType: z.number().int().min(0).max(255).optional(),
});

const expectation = z.preprocess(
  (value) => (value === 'delivered' || value === 'dropped' ? { verdict: value } : value),
  z.strictObject(
    {
      verdict: z.enum(['delivered', 'dropped']),
      /** Drop reason as Cilium names it, such as POLICY_DENY. */
      reason: z.string().optional(),
    },
    'expected delivered, dropped, or {verdict: dropped, reason: NAME}',
  ),
);

export const flow = z.strictObject({
  name: name.optional(),
  from: client,
  to: target,
  protocol: z.enum(['tcp', 'udp', 'icmp', 'sctp']).default('tcp'),
  sourcePort: port.optional(),
  /** Left out: the protocol's shortest whole exchange. */
  packets: z.array(packet).optional(),
  /** Capture whose packets of the client's side are played instead. */
  pcap: z.string().optional(),
  /** Whether anybody listens there; a closed port otherwise. */
  listening: flag.default(true),
  expect: expectation.default({ verdict: 'delivered' }),
});

/** The wire between the nodes. */
export const wire = z.strictObject({
  /** Microseconds. */
  latency: z.number().min(0).default(0),
  loss: fraction.default(0),
  reorder: fraction.default(0),
  /** Of the random numbers behind loss and reordering. */
  seed: number32.default(1),
  /** MAC address that answers ARP for everything, as in the fabric of a cloud's virtual network. */
  fabricMac: mac.optional(),
});
