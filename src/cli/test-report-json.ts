import type { PacketMismatch } from '../cilium/unit-test/packet-mismatch.js';
import type { LogLine, ObjectResult, UnitTestResult } from '../cilium/unit-test/result.js';
import { printJson } from './format.js';
import { eventJson, faultJson } from './outcome-json.js';
import type { Reporter, TestSummary } from './test-report.js';

/** For machines: one document at the end (docs/commands.md). */
export class JsonReporter implements Reporter {
  object(): void {}

  end({ objects, counts }: TestSummary): void {
    printJson({ ...counts, objects: objects.map(objectJson) });
  }
}

function objectJson({ file, error, tests }: ObjectResult): Record<string, unknown> {
  return { file, error: error ?? null, tests: tests.map(testJson) };
}

function testJson(test: UnitTestResult): Record<string, unknown> {
  return {
    name: test.name,
    status: test.status,
    subtests: test.subtests.map(({ name, status, log }) => ({ name, status, log: texts(log) })),
    log: texts(test.log),
    instructions: Number(test.instructions),
    packets: test.mismatches.map(packetJson),
    events: test.events.map(({ stage, event }) => ({ stage, ...eventJson(event) })),
    fault: test.fault ? faultJson(test.fault) : null,
  };
}

function texts(log: readonly LogLine[]): string[] {
  return log.map((line) => line.text);
}

function packetJson(mismatch: PacketMismatch): Record<string, unknown> {
  const { name, file, line, expected, got, gotLength } = mismatch;
  return { name, source: `${file}:${line}`, expected, got, gotLength };
}
