import type { z } from 'zod';
import { UsageError } from '../../errors.js';
import { didYouMean } from '../../text.js';
import { type ReadBase, type ScenarioSource, scenarioSource } from './extend.js';
import { knownKeys } from './known-keys.js';
import { checkReferences } from './references.js';
import { type Scenario, scenarioSchema } from './schema.js';

/** How many problems one error lists. */
const MOST_PROBLEMS = 10;

/**
 * Reads a scenario from YAML. `name` stands for the file in messages, `readBase` reads the one it extends.
 *
 * Throws UsageError with one line for each problem: `file:line:column: path: what is wrong`.
 */
export function readScenario(text: string, name: string, readBase?: ReadBase): Scenario {
  const source = scenarioSource(text, name, readBase);
  const parsed = scenarioSchema.safeParse(source.value ?? {});
  if (!parsed.success) fail(parsed.error.issues.flatMap((issue) => describe(issue, source)));
  const problems = checkReferences(parsed.data);
  if (problems.length)
    fail(problems.map(({ path, message }) => `${source.place(path)}: ${pathText(path)}: ${message}`));
  return parsed.data;
}

function fail(problems: readonly string[]): never {
  const more = problems.length - MOST_PROBLEMS;
  throw new UsageError(
    [...problems.slice(0, MOST_PROBLEMS), ...(more > 0 ? [`and ${more} more problems`] : [])].join('\n'),
  );
}

function describe(issue: z.core.$ZodIssue, source: ScenarioSource): string[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(scenarioSchema, issue.path);
    return issue.keys.map((key) => {
      const hint = didYouMean(key, known) || (known.length ? `; there are: ${known.join(', ')}` : '');
      return `${source.place(issue.path, key)}: ${pathText([...issue.path, key])}: unknown name ${key}${hint}`;
    });
  }
  const subject = issue.path.length ? `${pathText(issue.path)}: ` : '';
  return [`${source.place(issue.path)}: ${subject}${message(issue, source)}`];
}

function message(issue: z.core.$ZodIssue, source: ScenarioSource): string {
  const given = valueAt(source.value, issue.path);
  const shown = given === undefined || typeof given === 'object' ? '' : `, not ${JSON.stringify(given)}`;
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const hint = typeof given === 'string' ? didYouMean(given, values) : '';
    return `expected one of ${values.join(', ')}${shown}${hint}`;
  }
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  if (given === undefined && issue.code === 'invalid_type') return 'missing';
  if (issue.message.startsWith('expected')) return `${issue.message}${shown}`;
  if (issue.code === 'invalid_type') return `expected ${kind(issue.expected)}${shown}`;
  return issue.message;
}

/** The field's word for a JavaScript type. */
function kind(type: string): string {
  return (
    { object: 'names with values', record: 'names with values', array: 'a list', int: 'a whole number' }[type] ??
    `a ${type}`
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const step of path)
    at = typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined;
  return at;
}

/** `flows[0].to.port`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.map((step, i) => (typeof step === 'number' ? `[${step}]` : `${i ? '.' : ''}${String(step)}`)).join('');
}
