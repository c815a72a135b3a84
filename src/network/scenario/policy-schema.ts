import { z } from 'zod';
import { anyPort, cidr, labels, name, port } from './values.js';

/** Entities of CiliumNetworkPolicy and what they stand for is in verdicts.ts. */
export const ENTITIES = [
  'all',
  'world',
  'world-ipv4',
  'world-ipv6',
  'cluster',
  'host',
  'remote-node',
  'kube-apiserver',
  'init',
  'health',
  'ingress',
  'unmanaged',
  'none',
] as const;

const expression = z.strictObject({
  key: z.string(),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: z.array(z.string()).default([]),
});

export const selector = z.strictObject({
  matchLabels: labels.default({}),
  matchExpressions: z.array(expression).default([]),
});

const portProtocol = z.strictObject({
  /** A number, as text too; 0 = every port of the protocol. */
  port: z.preprocess((value) => (typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value), anyPort),
  endPort: port.optional(),
  protocol: z.enum(['TCP', 'UDP', 'SCTP', 'ANY']).default('ANY'),
});

const portRule = z.strictObject({
  ports: z.array(portProtocol).default([]),
  /** Port of an L7 proxy that traffic is redirected to. */
  proxyPort: port.optional(),
});

const icmpRule = z.strictObject({
  fields: z.array(
    z.strictObject({
      family: z.enum(['IPv4', 'IPv6']).default('IPv4'),
      type: z.number().int().min(0).max(255),
    }),
  ),
});

const cidrSet = z.strictObject({ cidr, except: z.array(cidr).default([]) });

const entity = z.enum(ENTITIES);
const traffic = {
  toPorts: z.array(portRule).optional(),
  icmps: z.array(icmpRule).optional(),
};
const ingressRule = z.strictObject({
  fromEndpoints: z.array(selector).optional(),
  fromEntities: z.array(entity).optional(),
  fromCIDR: z.array(cidr).optional(),
  fromCIDRSet: z.array(cidrSet).optional(),
  ...traffic,
});
const egressRule = z.strictObject({
  toEndpoints: z.array(selector).optional(),
  toEntities: z.array(entity).optional(),
  toCIDR: z.array(cidr).optional(),
  toCIDRSet: z.array(cidrSet).optional(),
  ...traffic,
});

/** One rule set in the shape of a CiliumNetworkPolicy's spec. */
export const policy = z
  .strictObject({
    name: name.optional(),
    /** Namespace of the policy; left out, it holds for the whole cluster. */
    namespace: name.optional(),
    endpointSelector: selector.optional(),
    nodeSelector: selector.optional(),
    ingress: z.array(ingressRule).optional(),
    egress: z.array(egressRule).optional(),
    ingressDeny: z.array(ingressRule).optional(),
    egressDeny: z.array(egressRule).optional(),
  })
  .refine(
    (value) => (value.endpointSelector === undefined) !== (value.nodeSelector === undefined),
    'expected either endpointSelector or nodeSelector',
  );
