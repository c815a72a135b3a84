import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OffkernelError } from '../errors.js';

/** The kernel refused an object, a map operation or a run; the message carries bpftool's words (the verifier's log included). */
export class KernelError extends OffkernelError {
  override name = 'KernelError';
}

export type Availability = { ok: true } | { ok: false; reason: string };

export interface KernelRun {
  program: string;
  /** Packet from the L2 header on; for xdp metadata in front of it needs a context that says so. */
  packet: Uint8Array;
  /** struct __sk_buff or xdp_md; the context after the run is only given if this is. */
  context?: Uint8Array;
  repeat?: number;
}

export interface KernelResult {
  /** Low 32 bits of r0, unsigned. */
  retval: number;
  packet: Uint8Array;
  context: Uint8Array | undefined;
  /** Average ns per run. */
  duration: number;
}

const BPFFS = '/sys/fs/bpf';
/** Folder of the programs beside the maps; no map can be named so. */
const PROGRAMS = 'the-programs';
const TIMEOUT_MS = 60_000;
/** bpftool 7.1 gives data_out 32 KiB. */
const LARGEST_OUTPUT = 32 * 1024;

let opened = 0;
let availability: Availability | undefined;

/**
 * Runs bpftool in an empty network namespace, so that no frame leaves the machine and look-ups see a bare loopback device,
 * pinned to one CPU, so that per-CPU state stays in one place.
 */
function bpftool(args: readonly string[]): Answer {
  return isolated(['-n'], ['bpftool', ...args]);
}

interface Answer {
  ok: boolean;
  output: string;
  error: string;
}

function isolated(namespaces: readonly string[], command: readonly string[]): Answer {
  const result = spawnSync('unshare', [...namespaces, 'taskset', '-c', '0', ...command], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 64 * 2 ** 20,
  });
  if (result.error) return { ok: false, output: '', error: String(result.error.message) };
  return { ok: result.status === 0, output: result.stdout, error: `${result.stderr}${result.stdout}`.trim() };
}

function probe(): Availability {
  if (process.platform !== 'linux') return { ok: false, reason: 'not Linux' };
  if (process.getuid?.() !== 0) return { ok: false, reason: 'not root' };
  for (const tool of ['bpftool', 'unshare', 'taskset']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
      return { ok: false, reason: `${tool} is not installed` };
  }
  if (!existsSync(BPFFS)) return { ok: false, reason: `${BPFFS} does not exist` };
  const isMounted = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[1] === BPFFS);
  if (!isMounted && spawnSync('mount', ['-t', 'bpf', 'bpf', BPFFS]).status !== 0)
    return { ok: false, reason: `no bpf file system on ${BPFFS}` };
  const listed = bpftool(['prog', 'list']);
  return listed.ok ? { ok: true } : { ok: false, reason: `bpf() does not work: ${listed.error.split('\n')[0]}` };
}

const open = new Set<Kernel>();
process.once('exit', () => {
  for (const kernel of open) kernel.close();
});

/** An object loaded into this machine's kernel, for comparison. Always close it. */
export class Kernel {
  readonly #pins: string;
  readonly #files: string;

  private constructor(pins: string, files: string) {
    this.#pins = pins;
    this.#files = files;
  }

  /** Whether this machine can run BPF programs through bpftool, and if not, why. */
  static available(): Availability {
    availability ??= probe();
    return availability;
  }

  /** Loads every program of an object. Throws KernelError with the verifier's log if one is refused. */
  static open(object: Uint8Array, options: { name: string; type?: string }): Kernel {
    const available = Kernel.available();
    if (!available.ok) throw new KernelError(`no kernel to compare with: ${available.reason}`);
    const id = `offkernel_${process.pid}_${opened++}`;
    const files = mkdtempSync(join(tmpdir(), 'offkernel-'));
    const kernel = new Kernel(join(BPFFS, id), files);
    open.add(kernel);
    try {
      mkdirSync(kernel.#pins);
      const file = join(files, 'object.o');
      writeFileSync(file, object);
      const type = options.type ? ['type', options.type] : [];
      const load = ['bpftool', 'prog', 'loadall', file, join(BPFFS, PROGRAMS), ...type, 'pinmaps', BPFFS];
      // libbpf pins and finds maps with `pinning` directly in /sys/fs/bpf: ours lies there while it loads, so that objects
      // neither meet nor stay behind.
      const loaded = isolated(
        ['-n', '-m'],
        ['sh', '-c', 'mount --bind "$0" "$1" && shift && exec "$@"', kernel.#pins, BPFFS, ...load],
      );
      if (!loaded.ok) throw new KernelError(`${options.name}: the kernel refuses the object: ${loaded.error}`);
      return kernel;
    } catch (error) {
      kernel.close();
      throw error;
    }
  }

  /** Names of the programs as pinned. */
  programs(): string[] {
    return readdirSync(join(this.#pins, PROGRAMS));
  }

  /** Names of the maps as pinned (data sections as `<object>.rodata` and the like). */
  maps(): string[] {
    return readdirSync(this.#pins).filter((name) => name !== PROGRAMS);
  }

  /** Runs a program with BPF_PROG_TEST_RUN. Throws KernelError if the kernel refuses the input. */
  run(input: KernelRun): KernelResult {
    const file = (name: string): string => join(this.#files, name);
    writeFileSync(file('in'), input.packet);
    const args = [
      '-j',
      'prog',
      'run',
      'pinned',
      join(this.#pins, PROGRAMS, input.program),
      'data_in',
      file('in'),
      'data_out',
      file('out'),
      'data_size_out',
      String(LARGEST_OUTPUT),
    ];
    if (input.context) {
      writeFileSync(file('ctx_in'), input.context);
      args.push('ctx_in', file('ctx_in'), 'ctx_out', file('ctx_out'), 'ctx_size_out', '4096');
    }
    args.push('repeat', String(input.repeat ?? 1));
    const result = bpftool(args);
    if (!result.ok) throw new KernelError(`${input.program}: ${result.error}`);
    const { retval, duration } = JSON.parse(result.output) as { retval: number; duration: number };
    return {
      retval: retval >>> 0,
      duration,
      packet: readFileSync(file('out')),
      context: input.context ? readFileSync(file('ctx_out')) : undefined,
    };
  }

  #map(name: string): string {
    const names = this.maps();
    // The kernel keeps 15 characters of a name; libbpf pins by the full one.
    const found = names.find((candidate) => candidate === name) ?? names.find((candidate) => candidate.endsWith(name));
    if (!found) throw new KernelError(`the kernel has no map ${name}; there are: ${names.join(', ')}`);
    return join(this.#pins, found);
  }

  /** Stores an element; per-CPU values one after the other, each rounded up to 8 bytes. */
  updateMap(name: string, key: Uint8Array, value: Uint8Array): void {
    const hex = (bytes: Uint8Array): string[] => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));
    const result = bpftool([
      'map',
      'update',
      'pinned',
      this.#map(name),
      'key',
      'hex',
      ...hex(key),
      'value',
      'hex',
      ...hex(value),
    ]);
    if (!result.ok) throw new KernelError(`map ${name}: ${result.error}`);
  }

  /** All elements as raw bytes; per-CPU values one after the other. */
  dumpMap(name: string): [key: Uint8Array, value: Uint8Array][] {
    const result = bpftool(['-j', 'map', 'dump', 'pinned', this.#map(name)]);
    if (!result.ok) throw new KernelError(`map ${name}: ${result.error}`);
    const bytes = (list: readonly string[]): Uint8Array => Uint8Array.from(list, (text) => Number.parseInt(text, 16));
    const rows = JSON.parse(result.output) as {
      key: string[];
      value?: string[];
      values?: { cpu: number; value: string[] }[];
    }[];
    return rows.map((row) => [
      bytes(row.key),
      row.values ? bytes(row.values.flatMap(({ value }) => value)) : bytes(row.value ?? []),
    ]);
  }

  /** Unloads everything. Safe to call twice. */
  close(): void {
    open.delete(this);
    rmSync(this.#pins, { recursive: true, force: true });
    rmSync(this.#files, { recursive: true, force: true });
  }
}
