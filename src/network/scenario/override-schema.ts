import { z } from 'zod';
import { address, interfaceName, mac } from './values.js';

const mapOverride = z.strictObject({
  /** Removes everything the plan puts into the map. */
  clear: z.boolean().default(false),
  /** The map takes no further elements, as a full hash map. */
  full: z.boolean().default(false),
  /** Keys to remove, by BTF field names; fields that are left out match everything. */
  delete: z.array(z.unknown()).default([]),
  /** Elements to add or replace. */
  set: z.array(z.strictObject({ key: z.unknown(), value: z.unknown() })).default([]),
});

/** What one node has other than the plan says: for broken variants of a scenario. */
export const override = z.strictObject({
  /** Map contents by Cilium's map name; names and version suffixes of the object at hand are found. */
  maps: z.record(z.string(), mapOverride).default({}),
  /** Load-time constants by name, for every object that has them. */
  config: z.record(z.string(), z.unknown()).default({}),
  /** Programs that are missing from the tail-call maps, by name. */
  emptySlots: z.array(z.string()).default([]),
  neighbours: z
    .strictObject({
      delete: z.array(address).default([]),
      set: z.array(z.strictObject({ address, mac, device: interfaceName })).default([]),
    })
    .prefault({}),
  /** Constants compiled into the objects, where they cannot be read from them. */
  objectConstants: z
    .strictObject({
      hostIfindex: z.number().int().optional(),
      encapIfindex: z.number().int().optional(),
      hostEndpointId: z.number().int().optional(),
    })
    .prefault({}),
});
