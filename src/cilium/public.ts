/** The public entry of `offkernel/cilium`: events and names of Cilium's datapath, unit tests, map contents of a cluster. */
export { DROP_REASONS, type DropReason, dropReason, dropReasonText } from './drop-reasons.js';
export type { Era } from './era.js';
export { decodeEvent, decodeSignal } from './events/decode.js';
export type { CiliumEvent } from './events/event.js';
export { explainDrop, formatEvent } from './events/format.js';
export { decodeRunEvent } from './events/run-event.js';
export { identityText } from './identities.js';
export { describeMark } from './marks.js';
export { eraOfObject } from './object-era.js';
export { attachments, type LoadedInstance, loadPlan } from './state/load.js';
export type { ObjectKind, ObjectSpecs } from './state/node-objects.js';
export { planNode } from './state/plan.js';
export type { InstancePlan, NodePlan } from './state/plan-types.js';
export { slotName, slotOf } from './tail-calls.js';
export type { ObjectResult, UnitTestResult } from './unit-test/result.js';
export { UnitTestRunner } from './unit-test/run.js';
