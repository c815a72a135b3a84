import type { PacketMismatch } from '../cilium/unit-test/packet-mismatch.js';
import { isFailure, type LogLine, type UnitTestResult } from '../cilium/unit-test/result.js';
import { formatFaultLong } from '../machine/fault.js';
import { diffPackets, formatDiff } from '../packet/diff.js';
import { formatPacket } from '../packet/print.js';
import { eventText } from './outcome-text.js';

/** Everything there is to say about a test that did not pass, as lines of plain text (`colour`: for a terminal). */
export function explainFailure(test: UnitTestResult, options: { colour?: boolean } = {}): string[] {
  const lines = test.log.flatMap(logLines);
  for (const subtest of test.subtests) {
    if (subtest.status === 'pass') continue;
    lines.push(`${subtest.name}: ${subtest.status}`, ...indent(subtest.log.flatMap(logLines)));
  }
  for (const mismatch of test.mismatches) lines.push(...mismatchLines(mismatch, options.colour ?? false));
  if (test.fault) lines.push(...formatFaultLong(test.fault).split('\n').slice(1));
  if (isFailure(test.status) && test.events.length) {
    lines.push('events:', ...indent(test.events.map(({ stage, event }) => `${stage}: ${eventText(event)}`)));
  }
  return lines;
}

/** A log line, and the source line it names below it. */
function logLines({ text, source }: LogLine): string[] {
  const code = source?.text.trim();
  return code ? [text, `    ${source!.line} | ${code}`] : [text];
}

function mismatchLines(mismatch: PacketMismatch, colour: boolean): string[] {
  const { name, file, line, expected, got, gotLength } = mismatch;
  const start = mismatch.firstLayer === 'Ether' ? ('ethernet' as const) : ('ip' as const);
  const lines = [
    `packet ${name} at ${file}:${line}, expected -> got:`,
    `    expected ${formatPacket(expected, { start })}`,
  ];
  if (gotLength < expected.length) {
    lines.push(`    got ${gotLength} bytes where ${expected.length} were expected; the test keeps none of them`);
    return lines;
  }
  lines.push(`    got      ${formatPacket(got, { start })}`);
  const diff = formatDiff(diffPackets(expected, got, { start }), { colour });
  lines.push(...diff.split('\n').map((text) => `    ${text}`));
  if (gotLength > expected.length) lines.push(`    (first ${expected.length} of ${gotLength} bytes)`);
  return lines;
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
