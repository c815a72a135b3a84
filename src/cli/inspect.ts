import { Command } from 'commander';
import { MapFlag, MapType } from '../../assembly/abi.js';
import { decodeValue } from '../btf/value.js';
import { OffkernelError } from '../errors.js';
import { HOST_HELPERS } from '../helpers/host.js';
import { helperById } from '../helpers/table.js';
import { callsOf, tailCallsOf } from '../object/calls.js';
import type { MapSpec, ObjectSpec, ProgramSpec, VariableSpec } from '../object/spec.js';
import { readObject } from './files.js';
import { bold, dim, printJson, red, table, yellow } from './format.js';
import { EXIT } from './main.js';

const EXAMPLE = `
Example:
  $ offkernel inspect bpf_lxc.o
  $ offkernel inspect --json *.o | jq '.[].programs[].name'`;

interface Options {
  json?: boolean;
  btf?: string;
  type?: string;
}

/** What `inspect --json` prints for one file. */
interface Report {
  file: string;
  license: string;
  programs: object[];
  maps: object[];
  variables: object[];
  tailCalls: object[];
  helpers: object[];
  externs: object[];
  warnings: readonly string[];
}

function isImplemented(id: number): boolean {
  const helper = helperById(id);
  return helper !== undefined && (helper.where === 'core' || HOST_HELPERS.has(id));
}

function flagNames(flags: number): string {
  const names = Object.entries(MapFlag).flatMap(([name, bit]) =>
    typeof bit === 'number' && flags & bit ? [name] : [],
  );
  return names.join('|') || (flags ? `0x${flags.toString(16)}` : '');
}

function typeName(spec: ObjectSpec, typeId: number): string {
  return typeId && spec.btf ? spec.btf.typeName(typeId) : '';
}

function mapReport(spec: ObjectSpec, map: MapSpec): Record<string, unknown> {
  return {
    name: map.name,
    type: MapType[map.type] ?? map.type,
    key: typeName(spec, map.keyTypeId),
    keySize: map.keySize,
    value: typeName(spec, map.valueTypeId),
    valueSize: map.valueSize,
    maxEntries: map.maxEntries,
    flags: flagNames(map.flags),
    pinning: map.pinning,
    origin: map.origin,
    readOnly: map.readOnly,
    template: map.template,
    inner: map.inner ? mapReport(spec, map.inner) : null,
    values: map.values,
  };
}

/** Default of a variable: typed by BTF, else hex. */
function defaultOf(spec: ObjectSpec, variable: VariableSpec): unknown {
  if (spec.btf && variable.typeId) {
    try {
      return decodeValue(spec.btf, variable.typeId, variable.initial);
    } catch (error) {
      if (!(error instanceof OffkernelError)) throw error;
    }
  }
  return variable.initial;
}

function programReport(spec: ObjectSpec, program: ProgramSpec): Record<string, unknown> {
  const fn = spec.functions[program.function]!;
  return {
    name: program.name,
    section: program.section,
    type: program.type,
    attachType: program.attachType ?? null,
    instructions: fn.instructions.length / 8,
    static: fn.isLocal,
    slots: program.slots,
    helpers: callsOf(spec, program.function).map((id) => helperById(id)?.name ?? `helper_${id}`),
  };
}

/** Everything known of an object without running it. */
export function inspectObject(spec: ObjectSpec): Report {
  const helpers = new Map<number, number>();
  for (const index of spec.functions.keys())
    for (const id of callsOf(spec, index, false)) helpers.set(id, (helpers.get(id) ?? 0) + 1);
  return {
    file: spec.name,
    license: spec.license,
    programs: spec.programs.map((program) => programReport(spec, program)),
    maps: spec.maps.map((map) => mapReport(spec, map)),
    variables: spec.variables.map((variable) => ({
      name: variable.label,
      symbol: variable.name,
      section: variable.section,
      offset: variable.offset,
      size: variable.size,
      type: typeName(spec, variable.typeId),
      config: variable.isConfig,
      default: defaultOf(spec, variable),
      tags: variable.tags,
    })),
    tailCalls: tailCallsOf(spec),
    helpers: [...helpers]
      .sort(([a], [b]) => a - b)
      .map(([id, functions]) => ({
        id,
        name: helperById(id)?.name ?? `helper_${id}`,
        implemented: isImplemented(id),
        functions,
      })),
    externs: spec.externs.map(({ name, kind, weak }) => ({ name, kind, weak })),
    warnings: spec.warnings,
  };
}

function valueText(value: unknown): string {
  if (value instanceof Uint8Array) return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  if (typeof value === 'object')
    return JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? inner.toString() : inner));
  return String(value);
}

function typed(name: unknown, size: unknown): string {
  return name ? `${name} (${size})` : `${size} bytes`;
}

function print(report: Report): void {
  const write = (text: string): void => void process.stdout.write(`${text}\n`);
  const rows = (title: string, header: string[], body: string[][]): void => {
    if (!body.length) return;
    write(`\n${bold(title)}`);
    write(table([header.map(dim), ...body]));
  };
  const list = <T>(items: object[]): T[] => items as T[];
  write(`${bold(report.file)}${report.license ? dim(`  license ${report.license}`) : ''}`);
  rows(
    'Programs',
    ['name', 'type', 'section', 'insns', 'slots'],
    list<{
      name: string;
      type: string;
      attachType: string | null;
      section: string;
      instructions: number;
      slots: { map: string; slot: number }[];
    }>(report.programs).map((p) => [
      p.name,
      p.attachType ?? p.type,
      p.section,
      String(p.instructions),
      p.slots.map((slot) => `${slot.map}[${slot.slot}]`).join(' '),
    ]),
  );
  rows(
    'Maps',
    ['name', 'type', 'key', 'value', 'max', 'flags'],
    list<Record<string, unknown>>(report.maps).map((m) => [
      `${m.name}${m.template ? ' (inner)' : ''}`,
      String(m.type),
      typed(m.key, m.keySize),
      typed(m.value, m.valueSize),
      m.maxEntries ? String(m.maxEntries) : 'per CPU',
      [m.flags, m.pinning ? `pinning ${m.pinning}` : '', m.readOnly ? 'read-only' : ''].filter(Boolean).join(' '),
    ]),
  );
  const variables = list<{
    name: string;
    section: string;
    type: string;
    size: number;
    config: boolean;
    default: unknown;
    tags: string[];
  }>(report.variables);
  const variableRows = (config: boolean): string[][] =>
    variables
      .filter((v) => v.config === config)
      .map((v) => [v.name, typed(v.type, v.size), v.section, valueText(v.default), v.tags.join('; ')]);
  rows('Configuration', ['name', 'type', 'section', 'default', 'tags'], variableRows(true));
  rows('Globals', ['name', 'type', 'section', 'initial', 'tags'], variableRows(false));
  rows(
    'Tail calls',
    ['from', 'map', 'slot', 'to'],
    list<{ from: string; map: string; slot: number | null; to: string | null }>(report.tailCalls).map((t) => [
      t.from,
      t.map,
      t.slot === null ? 'variable' : String(t.slot),
      t.to ?? dim('(empty in the object)'),
    ]),
  );
  rows(
    'Helpers',
    ['id', 'name', 'functions', ''],
    list<{ id: number; name: string; implemented: boolean; functions: number }>(report.helpers).map((h) => [
      String(h.id),
      h.name,
      String(h.functions),
      h.implemented ? '' : red('not implemented: a call ends in a fault'),
    ]),
  );
  rows(
    'Externs',
    ['name', 'kind', ''],
    list<{ name: string; kind: string; weak: boolean }>(report.externs).map((e) => [
      e.name,
      e.kind,
      e.weak ? 'weak' : '',
    ]),
  );
  for (const warning of report.warnings) write(`${yellow('warning')}: ${warning}`);
}

/** Programs, maps, configuration, tail-call graph and helpers of objects. */
export function inspectCommand(done: (code: number) => void): Command {
  return new Command('inspect')
    .description('list programs, maps, configuration variables, tail calls and helpers of BPF objects')
    .argument('<file...>', 'object files')
    .option('--json', 'one JSON array for all files')
    .option('--btf <file>', 'BTF to resolve CO-RE relocations against (default: the types of the object itself)')
    .option('--type <type>', 'program type of sections that do not tell, such as xdp or sched_cls')
    .addHelpText('after', EXAMPLE)
    .action((files: string[], options: Options) => {
      const reports: Report[] = [];
      let failed = false;
      for (const [index, file] of files.entries()) {
        try {
          const report = inspectObject(readObject(file, options));
          if (options.json) reports.push(report);
          else {
            if (index) process.stdout.write('\n');
            print(report);
          }
        } catch (error) {
          if (!(error instanceof OffkernelError)) throw error;
          failed = true;
          process.stderr.write(`offkernel: ${error.message}\n`);
        }
      }
      if (options.json) printJson(reports);
      done(failed ? EXIT.usage : EXIT.ok);
    });
}
