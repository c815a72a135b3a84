import { Command, Option } from 'commander';
import { parse as parseYaml } from 'yaml';
import type { ContextType } from '../contexts/context.js';
import { UsageError } from '../errors.js';
import { formatLcov } from '../machine/coverage.js';
import { formatFaultLong } from '../machine/fault.js';
import type { LoadedObject } from '../machine/loaded.js';
import { Machine } from '../machine/machine.js';
import type { Outcome } from '../machine/outcome.js';
import type { Program, RunInput } from '../machine/program.js';
import { isPcap, LINK_ETHERNET, type PcapPacket, readPcap, writePcap } from '../packet/pcap.js';
import { packetFromText, packetGrammar } from '../packet/words.js';
import { bytesOfHex } from './exec.js';
import { readInput, readObject, writeOutput } from './files.js';
import { printJson } from './format.js';
import { EXIT } from './main.js';
import { fillMaps, readMapsFile } from './maps-file.js';
import { outcomeJson } from './outcome-json.js';
import { printOutcome } from './outcome-text.js';
import { isSocketWords, socketContext } from './socket-words.js';
import { TracePrinter } from './trace-text.js';

const EXAMPLE = `
A packet in words:
${packetGrammar()
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}

Example:
  $ offkernel run xdp_filter.o -p xdp_filter --packet 'tcp 10.0.0.1:40000 > 10.0.0.2:80 syn' --trace
  $ offkernel run bpf_lxc.o -p cil_from_container --config LXC_ID=42 --maps node.yaml --pcap in.pcap --pcap-out out.pcap
  $ offkernel run bpf_sock.o -p cil_sock4_connect --maps services.yaml --ctx 'tcp 172.16.16.87:80'`;

interface Options {
  program?: string;
  packet?: string;
  pcap?: string;
  ctx?: string;
  config: string[];
  maps?: string;
  engine: string;
  trace?: boolean;
  cover?: string;
  pcapOut?: string;
  json?: boolean;
  btf?: string;
  type?: string;
  cpus: string;
  clock?: string;
  seed?: string;
  budget?: string;
  repeat: string;
  metadata?: string;
  uninitialised?: boolean;
  dumpMaps?: boolean;
  verbose?: boolean;
}

function integer(text: string | undefined, option: string): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) throw new UsageError(`${option} takes a number, not '${text}'`);
  return BigInt(text);
}

/** `NAME=VALUE` options; values are YAML scalars or flow collections. */
function assignments(items: readonly string[], option: string): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const item of items) {
    const equals = item.indexOf('=');
    if (equals <= 0) throw new UsageError(`${option} takes NAME=VALUE, not '${item}'`);
    result[item.slice(0, equals)] = yamlValue(item.slice(equals + 1), option);
  }
  return result;
}

function yamlValue(text: string, option: string): unknown {
  try {
    return parseYaml(text, { intAsBigInt: true });
  } catch (error) {
    throw new UsageError(`${option}: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** Context fields: `mark=1,cb=[1,2]`, a YAML/JSON object, @file, or a socket in words. */
function contextOf(text: string | undefined, type: ContextType): Record<string, unknown> | Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (isSocketWords(text)) return socketContext(text, type);
  if (text.startsWith('hex:')) return bytesOfHex(text.slice(4), '--ctx');
  const source = text.startsWith('@') ? new TextDecoder().decode(readInput(text.slice(1))) : text;
  const value =
    /^\s*\{/.test(source) || text.startsWith('@')
      ? yamlValue(source, '--ctx')
      : yamlValue(`{${source.replace(/([\w]+)=/g, '$1: ')}}`, '--ctx');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UsageError('--ctx takes field=value pairs or an object');
  return value as Record<string, unknown>;
}

function packetsOfPcap(path: string, bytes: Uint8Array): PcapPacket[] {
  const { linkType, packets } = readPcap(bytes);
  if (linkType !== LINK_ETHERNET)
    throw new UsageError(`${path}: packets of link type ${linkType}; programs get Ethernet frames (${LINK_ETHERNET})`);
  if (!packets.length) throw new UsageError(`${path}: no packets`);
  return packets;
}

/** Packets to run: one in words, hex or a file (raw bytes or pcap), or a whole pcap; undefined = the default packet. */
function packetsOf(options: Options): PcapPacket[] | undefined {
  if (options.packet !== undefined && options.pcap !== undefined)
    throw new UsageError('give --packet or --pcap, not both');
  if (options.pcap !== undefined) return packetsOfPcap(options.pcap, readInput(options.pcap));
  if (options.packet === undefined) return undefined;
  const single = (data: Uint8Array): PcapPacket => ({ seconds: 0, nanoseconds: 0, data, originalLength: data.length });
  if (options.packet.startsWith('@')) {
    const path = options.packet.slice(1);
    const bytes = readInput(path);
    return isPcap(bytes) ? packetsOfPcap(path, bytes).slice(0, 1) : [single(bytes)];
  }
  return [single(packetFromText(options.packet))];
}

/** The program asked for, or the only one. */
function chooseProgram(object: LoadedObject, name: string | undefined): Program {
  if (name !== undefined) return object.program(name);
  const [only, ...others] = object.programs;
  if (!only) throw new UsageError(`${object.spec.name} has no programs`);
  if (others.length)
    throw new UsageError(
      `${object.spec.name} has ${others.length + 1} programs; choose one with -p: ${object.programs.map((program) => program.name).join(', ')}`,
    );
  return only;
}

/** One program on one packet or a whole pcap. */
export function runCommand(done: (code: number) => void): Command {
  return new Command('run')
    .description('run one packet, or a whole pcap, through a program')
    .argument('<file>', 'object file')
    .option('-p, --program <name>', 'program (function or section name); needed if there are several')
    .option('--packet <packet>', 'packet in words, in hex, or @FILE (raw bytes or the first of a pcap)')
    .option('--pcap <file>', 'run every packet of a pcap')
    .option('--ctx <fields>', "context fields: mark=1,cb=[1,2], {yaml}, @file, hex:...; of a socket: 'tcp 10.0.0.1:80'")
    .option('--metadata <hex>', 'xdp metadata in front of the packet')
    .addOption(
      new Option('--config <name=value>', 'configuration variable or global (repeatable)')
        .default([])
        .argParser((value: string, all: string[]) => [...all, value]),
    )
    .option('--maps <file>', 'map contents: YAML or JSON by map and field names')
    .option('--btf <file>', 'BTF to resolve CO-RE relocations against')
    .option('--type <type>', 'program type of sections that do not tell')
    .option('--engine <name>', 'interpreter', 'interpreter')
    .option('--cpus <n>', 'possible CPUs', '1')
    .option('--clock <ns>', 'what ktime_get_ns starts from')
    .option('--seed <n>', 'seed of random numbers')
    .option('--budget <n>', 'instruction budget')
    .option('--repeat <n>', 'runs of the same packet; the last one is shown', '1')
    .option('--uninitialised', 'end the run when it reads stack that was never written')
    .option('--trace', 'show C source lines, instructions, registers and helper calls')
    .option('--cover <file>', 'write line coverage (lcov)')
    .option('--pcap-out <file>', 'write the packets that came out')
    .option('--dump-maps', 'show all map contents afterwards')
    .option('-v, --verbose', 'long form of faults, all fields of the packet')
    .option('--json', 'machine-readable result')
    .addHelpText('after', EXAMPLE)
    .action((file: string, options: Options) => done(run(file, options)));
}

function run(file: string, options: Options): number {
  if (options.engine !== 'interpreter') throw new UsageError(`no engine ${options.engine}; there is: interpreter`);
  const machine = Machine.create({
    cpus: Number(integer(options.cpus, '--cpus')),
    clock: integer(options.clock, '--clock'),
    seed: integer(options.seed, '--seed'),
    budget: integer(options.budget, '--budget'),
    trackUninitialised: options.uninitialised,
  });
  const object = machine.load(readObject(file, options), { config: assignments(options.config, '--config') });
  if (options.maps) fillMaps(object, readMapsFile(options.maps));
  const program = chooseProgram(object, options.program);
  const inputs = packetsOf(options) ?? [undefined];
  const context = contextOf(options.ctx, program.contextType);
  const results: { outcome: Outcome; before: Uint8Array | undefined }[] = [];
  const isMany = inputs.length > 1;
  for (const [index, input] of inputs.entries()) {
    const tracer = options.trace && !options.json ? new TracePrinter() : undefined;
    const runInput: RunInput = {
      packet: input?.data,
      context,
      metadata: options.metadata === undefined ? undefined : bytesOfHex(options.metadata, '--metadata'),
      repeat: Number(integer(options.repeat, '--repeat')),
      trace: tracer?.sink,
      recordMaps: true,
      coverage: options.cover !== undefined,
    };
    const outcome = program.run(runInput);
    results.push({ outcome, before: input?.data });
    if (options.json) continue;
    if (isMany) process.stdout.write(`${index ? '\n' : ''}packet ${index + 1} of ${inputs.length}\n`);
    printOutcome(object, program, outcome, input?.data, { verbose: options.verbose ?? false, context });
  }
  if (options.json) {
    const all = results.map(({ outcome }) => outcomeJson(object, program, outcome));
    printJson(isMany ? all : all[0]);
  }
  if (options.dumpMaps && !options.json) {
    for (const map of object.maps.values()) printJson({ [map.name]: [...map.entries()] });
  }
  if (options.cover) writeOutput(options.cover, formatLcov(program.executions()));
  if (options.pcapOut) {
    const packets = results.flatMap(({ outcome }, index): PcapPacket[] => {
      const data = outcome.packet;
      if (!data || outcome.fault) return [];
      const original = inputs[index];
      return [
        { seconds: original?.seconds ?? 0, nanoseconds: original?.nanoseconds ?? 0, data, originalLength: data.length },
      ];
    });
    writeOutput(options.pcapOut, writePcap(packets, { nanoseconds: true }));
  }
  const faulted = results.find(({ outcome }) => outcome.fault);
  if (faulted?.outcome.fault && options.verbose && !options.json)
    process.stderr.write(`${formatFaultLong(faulted.outcome.fault)}\n`);
  return faulted ? EXIT.failed : EXIT.ok;
}
