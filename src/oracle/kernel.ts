import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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

/** A change of one element of a map. */
export interface MapUpdate {
  map: string;
  key: Uint8Array;
  /** Bytes (per-CPU values one after the other, each rounded up to 8 bytes), or a program by name; undefined: it is deleted. */
  value: Uint8Array | { program: string } | undefined;
}

/** How an object is loaded. */
export interface ObjectOptions {
  /** Of the file, for messages. */
  name: string;
  /** Program type where the sections do not tell. */
  type?: string;
  /**
   * Keeps all maps but the shared ones apart from those of other objects, under a prefix for their names and those of its
   * programs: `a/cilium_policy`, `a/cil_from_container`. A further object without it has no maps of its own to be reached.
   */
  apart?: { prefix: string; shared: readonly string[] };
}

const BPFFS = '/sys/fs/bpf';
const TIMEOUT_MS = 60_000;
/** bpftool 7.1 gives data_out 32 KiB. */
const LARGEST_OUTPUT = 32 * 1024;
/** Characters of a failed batch's output that a message keeps: what failed comes last. */
const LONGEST_MESSAGE = 2000;

/** Where the programs of the n-th object are pinned, below BPFFS. */
const PROGRAMS = 'programs';
/** Steps of 10 ms in which a new namespace may get ready. */
const PATIENCE = 500;
let availability: Availability | undefined;

interface Output {
  ok: boolean;
  output: string;
  error: string;
}

function execute(command: string, args: readonly string[]): Output {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 64 * 2 ** 20,
  });
  if (result.error) return { ok: false, output: '', error: String(result.error.message) };
  return { ok: result.status === 0, output: result.stdout, error: `${result.stderr}${result.stdout}`.trim() };
}

/**
 * An empty network namespace, so that no frame leaves the machine and look-ups see a bare loopback device, with a bpf file system of
 * its own, where maps that pin themselves by name meet only their like. A process holds both; when this one ends, its
 * standard input ends, and all is gone.
 */
class Namespace {
  readonly #holder: ChildProcess;

  constructor() {
    this.#holder = spawn('unshare', ['-n', '-m', 'sh', '-c', `mount -t bpf bpf ${BPFFS} && exec cat`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#holder.unref();
    const sleep = new Int32Array(new SharedArrayBuffer(4));
    for (let step = 0; step < PATIENCE; step++) {
      if (this.#isReady()) return;
      Atomics.wait(sleep, 0, 0, 10);
    }
    this.close();
    throw new KernelError('no namespace to run in: unshare and mount do not work');
  }

  /** True once the holder has become the command after the mount. */
  #isReady(): boolean {
    try {
      return readFileSync(`/proc/${this.#holder.pid}/comm`, 'utf8') === 'cat\n';
    } catch {
      return false;
    }
  }

  /** Runs a command inside. */
  execute(command: string, ...args: readonly string[]): Output {
    return execute('nsenter', ['-t', String(this.#holder.pid), '-n', '-m', command, ...args]);
  }

  /** Runs bpftool inside, on one CPU, so that per-CPU state stays in one place. */
  bpftool(args: readonly string[]): Output {
    return this.execute('taskset', '-c', '0', 'bpftool', ...args);
  }

  /** Puts pinned objects into a new directory. */
  move(names: readonly string[], directory: string): void {
    const root = join(`/proc/${this.#holder.pid}/root`, BPFFS);
    mkdirSync(join(root, directory));
    for (const name of names) renameSync(join(root, name), join(root, directory, name));
  }

  /** Names below the bpf file system; directories apart from pinned objects. */
  list(directory = '', kind: 'directories' | 'objects' = 'objects'): string[] {
    return readdirSync(join(`/proc/${this.#holder.pid}/root`, BPFFS, directory), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() === (kind === 'directories'))
      .map((entry) => entry.name);
  }

  close(): void {
    this.#holder.kill();
  }
}

function probe(): Availability {
  if (process.platform !== 'linux') return { ok: false, reason: 'not Linux' };
  if (process.getuid?.() !== 0) return { ok: false, reason: 'not root' };
  for (const tool of ['bpftool', 'unshare', 'nsenter', 'taskset']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
      return { ok: false, reason: `${tool} is not installed` };
  }
  if (!existsSync(BPFFS)) return { ok: false, reason: `${BPFFS} does not exist` };
  const listed = execute('unshare', ['-n', '-m', 'sh', '-c', `mount -t bpf bpf ${BPFFS} && bpftool prog list`]);
  return listed.ok ? { ok: true } : { ok: false, reason: `bpf() does not work: ${listed.error.split('\n')[0]}` };
}

const hexBytes = (bytes: Uint8Array): string[] => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0'));

/** Elements from what bpftool prints of a map. */
function elements(dump: unknown): [key: Uint8Array, value: Uint8Array][] {
  const bytes = (list: readonly string[]): Uint8Array => Uint8Array.from(list, (text) => Number.parseInt(text, 16));
  const rows = dump as { key: string[]; value?: string[]; values?: { cpu: number; value: string[] }[] }[];
  return rows.map((row) => [
    bytes(row.key),
    row.values ? bytes(row.values.flatMap(({ value }) => value)) : bytes(row.value ?? []),
  ]);
}

const open = new Set<Kernel>();
process.once('exit', () => {
  for (const kernel of open) kernel.close();
});

/** Objects loaded into this machine's kernel, for comparison; they share maps pinned by name. Always close it. */
export class Kernel {
  readonly #namespace = new Namespace();
  readonly #files = mkdtempSync(join(tmpdir(), 'offkernel-'));
  /** Pins of the programs by name; of two with one name, the first. */
  readonly #programs = new Map<string, string>();
  /** Prefixes of objects that have maps of their own. */
  readonly #prefixes: string[] = [];

  private constructor() {
    open.add(this);
  }

  /** Whether this machine can run BPF programs through bpftool, and if not, why. */
  static available(): Availability {
    availability ??= probe();
    return availability;
  }

  /** Loads every program of an object. Throws KernelError with the verifier's log if one is refused. */
  static open(object: Uint8Array, options: ObjectOptions): Kernel {
    const kernel = Kernel.empty();
    try {
      kernel.#load(object, options, true);
      return kernel;
    } catch (error) {
      kernel.close();
      throw error;
    }
  }

  /** Without any object. Throws KernelError if this machine cannot run programs. */
  static empty(): Kernel {
    const available = Kernel.available();
    if (!available.ok) throw new KernelError(`no kernel to compare with: ${available.reason}`);
    return new Kernel();
  }

  /** Runs a shell script in the network namespace: devices, addresses, routes. Throws KernelError if it fails. */
  setUp(script: string): void {
    const done = this.#namespace.execute('sh', '-e', '-c', script);
    if (!done.ok) throw new KernelError(`setting up the network namespace: ${done.error}`);
  }

  /** Loads a further object. Throws KernelError. */
  load(object: Uint8Array, options: ObjectOptions): void {
    this.#load(object, options, options.apart !== undefined);
  }

  #load(object: Uint8Array, options: ObjectOptions, pinAll: boolean): void {
    const file = join(this.#files, 'object.o');
    writeFileSync(file, object);
    const directory = `${PROGRAMS}${this.#namespace.list('', 'directories').length}`;
    const before = new Set(this.maps());
    const type = options.type ? ['type', options.type] : [];
    const pin = pinAll ? ['pinmaps', BPFFS] : [];
    const loaded = this.#namespace.bpftool(['prog', 'loadall', file, join(BPFFS, directory), ...type, ...pin]);
    if (!loaded.ok) throw new KernelError(`${options.name}: the kernel refuses the object: ${loaded.error}`);
    const { prefix, shared } = options.apart ?? { prefix: undefined, shared: [] };
    for (const program of this.#namespace.list(directory)) {
      const path = join(BPFFS, directory, program);
      if (!this.#programs.has(program)) this.#programs.set(program, path);
      if (prefix !== undefined) this.#programs.set(`${prefix}/${program}`, path);
    }
    if (prefix === undefined) return;
    this.#namespace.move(
      this.maps().filter((map) => !before.has(map) && !shared.includes(map)),
      prefix,
    );
    this.#prefixes.push(prefix);
  }

  #program(name: string): string {
    const pin = this.#programs.get(name);
    if (!pin) throw new KernelError(`the kernel has no program ${name}; there are: ${this.programs().join(', ')}`);
    return pin;
  }

  /** Names of the programs as pinned. */
  programs(): string[] {
    return [...this.#programs.keys()];
  }

  /** Names of the maps as pinned (data sections as `<object>.rodata` and the like). */
  maps(): string[] {
    return this.#namespace.list();
  }

  /** Runs bpftool commands in one process, as many as work. Throws KernelError at the first that fails. */
  #batch(commands: readonly (readonly string[])[]): unknown[] {
    if (!commands.length) return [];
    const file = join(this.#files, 'batch');
    writeFileSync(file, commands.map((words) => `${words.join(' ')}\n`).join(''));
    const result = this.#namespace.bpftool(['-j', 'batch', 'file', file]);
    if (!result.ok) throw new KernelError(result.error.slice(-LONGEST_MESSAGE));
    return (JSON.parse(result.output) as { output: unknown }[]).map(({ output }) => output);
  }

  /** Runs a program with BPF_PROG_TEST_RUN. Throws KernelError if the kernel refuses the input. */
  run(input: KernelRun): KernelResult {
    const result = this.#namespace.bpftool(['-j', ...this.#runCommand(input, 0)]);
    if (!result.ok) throw new KernelError(`${input.program}: ${result.error}`);
    return this.#result(input, 0, JSON.parse(result.output));
  }

  /** Runs programs one after the other, much faster than by single calls. Throws KernelError if the kernel refuses an input. */
  runAll(inputs: readonly KernelRun[]): KernelResult[] {
    const outputs = this.#batch(inputs.map((input, n) => this.#runCommand(input, n)));
    return inputs.map((input, n) => this.#result(input, n, outputs[n]));
  }

  #runFile(name: string, n: number): string {
    return join(this.#files, `${name}${n}`);
  }

  /** The command for the n-th run of a batch, its input written to files. */
  #runCommand(input: KernelRun, n: number): string[] {
    const file = (name: string): string => this.#runFile(name, n);
    writeFileSync(file('in'), input.packet);
    const data = ['data_in', file('in'), 'data_out', file('out'), 'data_size_out', String(LARGEST_OUTPUT)];
    const context = ['ctx_in', file('ctx_in'), 'ctx_out', file('ctx_out'), 'ctx_size_out', '4096'];
    if (input.context) writeFileSync(file('ctx_in'), input.context);
    const repeat = ['repeat', String(input.repeat ?? 1)];
    const pin = this.#program(input.program);
    return ['prog', 'run', 'pinned', pin, ...data, ...(input.context ? context : []), ...repeat];
  }

  #result(input: KernelRun, n: number, output: unknown): KernelResult {
    const { retval, duration } = output as { retval: number; duration: number };
    return {
      retval: retval >>> 0,
      duration,
      packet: readFileSync(this.#runFile('out', n)),
      context: input.context ? readFileSync(this.#runFile('ctx_out', n)) : undefined,
    };
  }

  #map(name: string): string {
    const [prefix, own] = name.split('/');
    if (own !== undefined && this.#prefixes.includes(prefix!)) return join(BPFFS, name);
    const names = this.maps();
    // The kernel keeps 15 characters of a name; libbpf pins by the full one.
    const found = names.find((candidate) => candidate === name) ?? names.find((candidate) => candidate.endsWith(name));
    if (!found) throw new KernelError(`the kernel has no map ${name}; there are: ${names.join(', ')}`);
    return join(BPFFS, found);
  }

  #updateCommand({ map, key, value }: MapUpdate): string[] {
    if (!value) return ['map', 'delete', 'pinned', this.#map(map), 'key', 'hex', ...hexBytes(key)];
    const stored = value instanceof Uint8Array ? ['hex', ...hexBytes(value)] : ['pinned', this.#program(value.program)];
    return ['map', 'update', 'pinned', this.#map(map), 'key', 'hex', ...hexBytes(key), 'value', ...stored];
  }

  /** Stores and deletes elements, much faster than one by one. Throws KernelError. */
  updateMaps(updates: readonly MapUpdate[]): void {
    this.#batch(updates.map((update) => this.#updateCommand(update)));
  }

  /** Stores an element; per-CPU values one after the other, each rounded up to 8 bytes. */
  updateMap(name: string, key: Uint8Array, value: Uint8Array): void {
    const result = this.#namespace.bpftool(this.#updateCommand({ map: name, key, value }));
    if (!result.ok) throw new KernelError(`map ${name}: ${result.error}`);
  }

  /** Puts a program into a slot of a program array. */
  setProgram(name: string, key: Uint8Array, program: string): void {
    this.updateMaps([{ map: name, key, value: { program } }]);
  }

  /** All elements as raw bytes; per-CPU values one after the other. */
  dumpMap(name: string): [key: Uint8Array, value: Uint8Array][] {
    const result = this.#namespace.bpftool(['-j', ...this.#dumpCommand(name)]);
    if (!result.ok) throw new KernelError(`map ${name}: ${result.error}`);
    return elements(JSON.parse(result.output));
  }

  /** All elements of several maps, much faster than one by one. Throws KernelError. */
  dumpMaps(names: readonly string[]): [key: Uint8Array, value: Uint8Array][][] {
    return this.#batch(names.map((name) => this.#dumpCommand(name))).map(elements);
  }

  #dumpCommand(name: string): string[] {
    return ['map', 'dump', 'pinned', this.#map(name)];
  }

  /** Unloads everything. Safe to call twice. */
  close(): void {
    open.delete(this);
    this.#namespace.close();
    rmSync(this.#files, { recursive: true, force: true });
  }
}
