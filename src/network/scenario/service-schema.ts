import { z } from 'zod';
import { address, cidr, id16, labels, name, port, seconds } from './values.js';

export const BACKEND_STATES = ['active', 'terminating', 'quarantined', 'maintenance'] as const;

const servicePort = z.strictObject({
  name: name.optional(),
  port,
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
  /** Port of the backends; default: the same. */
  targetPort: port.optional(),
  nodePort: port.optional(),
});

const backend = z
  .strictObject({
    pod: name.optional(),
    address: address.optional(),
    /** Default: the Service's target port. */
    port: port.optional(),
    state: z.enum(BACKEND_STATES).default('active'),
    weight: id16.default(1),
  })
  .refine((value) => (value.pod === undefined) !== (value.address === undefined), 'expected either pod or address');

export const service = z.strictObject({
  clusterIPs: z.array(address).default([]),
  ports: z.array(servicePort).min(1, 'expected at least one port'),
  externalIPs: z.array(address).default([]),
  loadBalancerIPs: z.array(address).default([]),
  /** Backends one by one, or the labels of the Pods that are. */
  backends: z.array(backend).optional(),
  selector: labels.optional(),
  /** ClientIP session affinity: timeout in seconds. */
  affinity: seconds.optional(),
  /** Who may use the LoadBalancer addresses (loadBalancerSourceRanges). */
  sourceRanges: z.array(cidr).default([]),
  externalTrafficPolicy: z.enum(['Cluster', 'Local']).default('Cluster'),
  internalTrafficPolicy: z.enum(['Cluster', 'Local']).default('Cluster'),
  algorithm: z.enum(['random', 'maglev']).optional(),
  /** rev_nat_index of the first frontend; the others follow. */
  id: id16.optional(),
});
