import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { outcomeJson } from '../../src/cli/outcome-json.js';
import { printOutcome } from '../../src/cli/outcome-text.js';
import { Machine } from '../../src/machine/machine.js';
import type { Outcome } from '../../src/machine/outcome.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket } from '../../src/packet/words.js';

const packet = buildPacket('tcp 10.0.0.1:1000 > 10.0.0.2:80 syn');

/** A drop event of 1.13: reason 133, endpoint 42, bpf_lxc.c:1263. */
const data = new Uint8Array(36);
data.set([1, 133, 42]);
data[14] = 1;
data.set([0xef, 4, 2], 28);

afterEach(() => vi.restoreAllMocks());

async function runWithEvent() {
  const machine = await Machine.create();
  const file = new Uint8Array(readFileSync('bpf-objects/service.o'));
  const object = machine.load(loadObject(file, { name: 'service.o' }));
  const program = object.programs[0]!;
  const outcome: Outcome = program.run({ packet });
  outcome.events.push({ kind: 'perf', map: 'cilium_events', cpu: 0, data, packet });
  outcome.events.push({ kind: 'perf', map: 'other', cpu: 0, data, packet });
  return { object, program, outcome };
}

test('the text of a run shows the event in words', async () => {
  const { object, program, outcome } = await runWithEvent();
  const lines: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
  printOutcome(object, program, outcome, packet, { verbose: false, context: undefined });
  const text = lines.join('');
  expect(text).toContain(
    'event drop POLICY (133) identity unknown -> unknown, endpoint 42, bpf_lxc.c:1263: IP 10.0.0.1.1000',
  );
  expect(text).toContain('No policy entry allows this identity');
  expect(text).toContain('event other (CPU 0): 01852a00');
});

test('the JSON of a run has the decoded event beside its bytes', async () => {
  const { object, program, outcome } = await runWithEvent();
  const [first, second] = JSON.parse(JSON.stringify(outcomeJson(object, program, outcome).events));
  expect(first).toMatchObject({ kind: 'perf', map: 'cilium_events' });
  expect(first.decoded).toMatchObject({ type: 'drop', reasonName: 'POLICY', line: 1263, files: ['bpf_lxc.c'] });
  expect(first.decoded.text).toContain('drop POLICY (133)');
  expect(first.decoded).not.toHaveProperty('packet');
  expect(second).not.toHaveProperty('decoded');
});
