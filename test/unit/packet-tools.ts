import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether a program of the system can be run; if not, says so, for tests that are skipped without it. */
export function hasTool(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn(`skipped: ${name} is not installed`);
    return false;
  }
}

/** Standard output of a program that reads `bytes` from a file; `FILE` among the arguments stands for its name. */
export function runOnFile(tool: string, args: readonly string[], bytes: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'offkernel-test-'));
  try {
    const file = join(folder, 'input.pcap');
    writeFileSync(file, bytes);
    const actual = args.map((arg) => (arg === 'FILE' ? file : arg));
    return execFileSync(tool, actual, { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 26 }).toString('latin1');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
