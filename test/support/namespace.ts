import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let runs = 0;

const bytesOf = (list: readonly string[]): Uint8Array => Uint8Array.from(list, (text) => Number.parseInt(text, 16));

export interface NamespaceRun {
  /** Shell commands that set up the network namespace. */
  setup: string;
  object: Uint8Array;
  program: string;
  packet: Uint8Array;
  /** One-element array map that is filled before and read after the run. */
  map: string;
  value: Uint8Array;
}

/**
 * Loads an object in a fresh network namespace that `setup` furnishes, runs a program once and returns the contents of the
 * map. Needs root, ip and bpftool. Throws Error with the output of what failed.
 */
export function runInNamespace(run: NamespaceRun): Uint8Array {
  const files = mkdtempSync(join(tmpdir(), 'offkernel-netns-'));
  const pins = `/sys/fs/bpf/offkernel_netns_${process.pid}_${runs++}`;
  const file = (name: string): string => join(files, name);
  try {
    writeFileSync(file('object.o'), run.object);
    writeFileSync(file('packet'), run.packet);
    const hex = [...run.value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const steps = [
      'set -e',
      run.setup,
      `mkdir ${pins} ${pins}/maps`,
      `bpftool prog loadall ${file('object.o')} ${pins}/progs pinmaps ${pins}/maps`,
      `bpftool map update pinned ${pins}/maps/${run.map} key 0 0 0 0 value hex ${hex}`,
      `bpftool prog run pinned ${pins}/progs/${run.program} data_in ${file('packet')} data_out ${file('out')}`,
      `bpftool -j map dump pinned ${pins}/maps/${run.map} > ${file('dump')}`,
    ];
    const result = spawnSync('unshare', ['-n', 'sh', '-c', steps.join('\n')], { encoding: 'utf8', timeout: 60_000 });
    if (result.status !== 0) throw new Error(`${result.error ?? ''}${result.stderr}${result.stdout}`);
    const rows = JSON.parse(readFileSync(file('dump'), 'utf8')) as { value: string[] }[];
    return bytesOf(rows[0]!.value);
  } finally {
    rmSync(pins, { recursive: true, force: true });
    rmSync(files, { recursive: true, force: true });
  }
}

/** Whether `setup` works here, else why not. */
export function namespaceTrouble(setup: string): string | undefined {
  const result = spawnSync('unshare', ['-n', 'sh', '-c', `set -e\n${setup}`], { encoding: 'utf8', timeout: 60_000 });
  return result.status === 0 ? undefined : String(result.error ?? result.stderr).trim();
}
