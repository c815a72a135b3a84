import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import type { ObjectKind, ObjectSpecs } from '../cilium/state/node-objects.js';
import { UsageError } from '../errors.js';
import { capturePcaps, captureTexts } from '../network/account/captures.js';
import { explainPlace, findPlace } from '../network/account/explain.js';
import { accountJson } from '../network/account/json.js';
import { accountSvg } from '../network/account/svg.js';
import { accountText, type Tone } from '../network/account/text.js';
import { readScenario } from '../network/scenario/read.js';
import type { Scenario } from '../network/scenario/schema.js';
import { walkRecord } from '../network/walk/record.js';
import { isAsExpected, type Walk, walk } from '../network/walk/walk.js';
import { didYouMean } from '../text.js';
import { readInput, readObject, readText, writeOutput } from './files.js';
import { bold, cyan, dim, green, printJson, progress, red, table, yellow } from './format.js';
import { EXIT } from './main.js';

const EXAMPLE = `
Example:
  $ offkernel walk
  $ offkernel walk per-packet-lb --verbose
  $ offkernel walk --explain node1/cilium_vxlan
  $ offkernel walk my-cluster.yaml --objects /var/lib/cilium/bpf --pcap captures --svg path.svg
  $ offkernel walk --objects old/ --objects node2=new/`;

interface Options {
  objects: string[];
  flow: string[];
  verbose?: boolean;
  json?: boolean;
  pcap?: string;
  svg?: string;
  tcpdump?: string;
  explain?: string;
  list?: boolean;
}

/** Folders of the package: this file is dist/src/cli/walk.js. */
const PACKAGE = fileURLToPath(new URL('../../../', import.meta.url));
const SCENARIOS = join(PACKAGE, 'scenarios');
const OBJECTS = join(PACKAGE, 'bpf-objects');
const BUNDLED = 'pod-to-service';

const KINDS: readonly ObjectKind[] = ['lxc', 'host', 'overlay', 'sock'];

/** The life of a Pod's request, hook by hook over all nodes. */
export function walkCommand(done: (code: number) => void): Command {
  return new Command('walk')
    .description("play a scenario's flows over every hook of all nodes and tell the way of each packet")
    .argument('[scenario]', `scenario file, or the name of a bundled one (--list); default: ${BUNDLED}`)
    .addOption(
      new Option(
        '--objects <dir>',
        'folder with bpf_lxc.o, bpf_host.o, bpf_overlay.o, bpf_sock.o of any Cilium version; NODE=DIR for one node (repeatable)',
      )
        .default([], "offkernel's own datapath")
        .argParser((value: string, all: string[]) => [...all, value]),
    )
    .addOption(
      new Option('--flow <name>', 'only this flow of the scenario (repeatable)')
        .default([], 'all')
        .argParser((value: string, all: string[]) => [...all, value]),
    )
    .option('-v, --verbose', 'maps read and written, events, notes, neighbour resolution')
    .option('--json', 'the account as JSON')
    .option('--pcap <dir>', 'write a capture for every device')
    .option('--svg <file>', 'draw the way of request and reply')
    .option('--tcpdump <device>', 'what tcpdump would print on a device (node1-eth0); all: every device')
    .option(
      '--explain <place>',
      'a node after the flows: filters, programs, rules, routes, neighbours, maps; PLACE is NODE, NODE/DEVICE or NODE/POD',
    )
    .option('--list', 'list the bundled scenarios')
    .addHelpText('after', EXAMPLE)
    .action((scenario: string | undefined, options: Options) => {
      if (options.list) {
        printList();
        done(EXIT.ok);
        return;
      }
      const played = play(scenario ?? BUNDLED, options);
      report(played, options);
      done(played.flows.every((flow) => isAsExpected(played, flow)) ? EXIT.ok : EXIT.failed);
    });
}

function play(name: string, options: Options): Walk {
  const path = scenarioPath(name);
  const scenario = chooseFlows(readScenarioFile(path), options.flow);
  const bar = progress('walk');
  try {
    return walk(scenario, {
      objects: objectsOf(scenario, options.objects, dirname(path)),
      readFile: (file) => readInput(isAbsolute(file) ? file : resolve(dirname(path), file)),
      record: { recordMaps: true, recordAccesses: true },
      progress: (flow, index, total) => bar.update(index, total, flow),
    });
  } finally {
    bar.end();
  }
}

/** A scenario file with the ones it extends. */
function readScenarioFile(path: string): Scenario {
  return readScenario(readText(path), path, (base, from) => {
    const file = resolve(dirname(from), base);
    return { text: readText(file), name: file };
  });
}

function bundledScenarios(): string[] {
  return readdirSync(SCENARIOS, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.replace(/\.yaml$/, '').replaceAll('\\', '/'))
    .sort();
}

/** A file as given, or a bundled scenario by name. */
function scenarioPath(name: string): string {
  if (existsSync(name) && statSync(name).isFile()) return name;
  const bundled = join(SCENARIOS, `${name}.yaml`);
  if (existsSync(bundled)) return bundled;
  throw new UsageError(
    `there is no scenario file ${name}, and no bundled scenario of that name${didYouMean(name, bundledScenarios())}; --list shows them`,
  );
}

function printList(): void {
  const rows = bundledScenarios().map((name) => [
    bold(name),
    readScenarioFile(join(SCENARIOS, `${name}.yaml`)).description,
  ]);
  process.stdout.write(`${table(rows, { indent: '' })}\n`);
}

function chooseFlows(scenario: Scenario, names: readonly string[]): Scenario {
  if (!names.length) return scenario;
  const known = scenario.flows.map((flow, i) => flow.name ?? `flow ${i + 1}`);
  for (const name of names)
    if (!known.includes(name))
      throw new UsageError(`no flow ${name}${didYouMean(name, known)}; there are: ${known.join(', ') || 'none'}`);
  return { ...scenario, flows: scenario.flows.filter((_, i) => names.includes(known[i]!)) };
}

/** Objects by node: the command line's for a node or for all, the scenario's own, or the bundled datapath. */
function objectsOf(scenario: Scenario, given: readonly string[], folder: string): (node: string) => ObjectSpecs {
  const nodes = Object.keys(scenario.nodes);
  const byNode = new Map<string, string>();
  let everywhere: string | undefined;
  for (const item of given) {
    const [, node, path] = /^([^=/\\]+)=(.+)$/.exec(item) ?? [];
    if (node === undefined) {
      everywhere = item;
      continue;
    }
    if (!nodes.includes(node))
      throw new UsageError(`--objects: no node ${node}${didYouMean(node, nodes)}; there are: ${nodes.join(', ')}`);
    byNode.set(node, path!);
  }
  const loaded = new Map<string, ObjectSpecs>();
  return (node) => {
    const own = scenario.nodes[node]?.objects;
    const path = byNode.get(node) ?? everywhere ?? (own === undefined ? OBJECTS : resolve(folder, own));
    const specs = loaded.get(path) ?? readObjects(path);
    loaded.set(path, specs);
    return specs;
  };
}

function readObjects(folder: string): ObjectSpecs {
  const found = KINDS.filter((kind) => existsSync(join(folder, `bpf_${kind}.o`)));
  for (const kind of ['lxc', 'host'] as const)
    if (!found.includes(kind))
      throw new UsageError(`--objects: ${folder} has no bpf_${kind}.o, which a walk cannot do without`);
  return Object.fromEntries(found.map((kind) => [kind, readObject(join(folder, `bpf_${kind}.o`))]));
}

const TONES: Readonly<Record<Tone, (text: string) => string>> = {
  title: bold,
  packet: bold,
  hook: cyan,
  good: green,
  redirect: yellow,
  bad: red,
  change: yellow,
  note: (text) => text,
  light: dim,
};

function report(played: Walk, options: Options): void {
  const record = walkRecord(played);
  const { network } = record;
  if (options.pcap !== undefined) {
    mkdirSync(options.pcap, { recursive: true });
    for (const [name, bytes] of capturePcaps(network)) writeOutput(join(options.pcap, name), bytes);
  }
  if (options.svg !== undefined) writeOutput(options.svg, accountSvg(record));
  if (options.json) {
    printJson(accountJson(record));
    return;
  }
  if (options.explain !== undefined) {
    process.stdout.write(`${explainPlace(findPlace(network, options.explain)).join('\n')}\n`);
    return;
  }
  if (options.tcpdump !== undefined) {
    printCaptures(captureTexts(network), options.tcpdump);
    return;
  }
  const lines = accountText(record, { verbose: options.verbose, style: (tone, text) => TONES[tone](text) });
  process.stdout.write(`${lines.join('\n')}\n`);
}

function printCaptures(texts: ReadonlyMap<string, readonly string[]>, wanted: string): void {
  const names = [...texts.keys()];
  const shown = wanted === 'all' ? names : names.filter((name) => name === wanted);
  if (!shown.length)
    throw new UsageError(
      `nothing passed a device ${wanted}${didYouMean(wanted, names)}; there are: ${names.join(', ')}`,
    );
  for (const name of shown) {
    if (shown.length > 1) process.stdout.write(`${bold(name)}\n`);
    for (const line of texts.get(name)!) process.stdout.write(`${line}\n`);
  }
}
