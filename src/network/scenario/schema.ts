import { z } from 'zod';
import { features } from './features.js';
import { flow, wire } from './flow-schema.js';
import { override } from './override-schema.js';
import { policy } from './policy-schema.js';
import { service } from './service-schema.js';
import { external, node, pod } from './topology.js';
import { name } from './values.js';

/** Shape of a scenario file. References between its parts are checked by references.ts. */
export const scenarioSchema = z.strictObject({
  name: name,
  description: z.string().default(''),
  features: features.prefault({}),
  nodes: z.record(name, node),
  pods: z.record(name, pod).default({}),
  /** Hosts outside the cluster. */
  external: z.record(name, external).default({}),
  services: z.record(name, service).default({}),
  policies: z.array(policy).default([]),
  flows: z.array(flow).default([]),
  wire: wire.prefault({}),
  /** By node. */
  overrides: z.record(name, override).default({}),
});

/** A validated scenario with all defaults that need no other part of the file. Addresses are texts. */
export type Scenario = z.infer<typeof scenarioSchema>;
export type ScenarioFeatures = Scenario['features'];
export type ScenarioNode = Scenario['nodes'][string];
export type ScenarioPod = Scenario['pods'][string];
export type ScenarioService = Scenario['services'][string];
export type ScenarioPolicy = Scenario['policies'][number];
export type ScenarioFlow = Scenario['flows'][number];
export type ScenarioOverride = Scenario['overrides'][string];
export type EndpointSelector = NonNullable<ScenarioPolicy['endpointSelector']>;
