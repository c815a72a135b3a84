import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { UsageError } from '../../errors.js';

/** A YAML text with the places of its values. */
export class YamlSource {
  readonly name: string;
  readonly value: unknown;
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  /** Throws UsageError `name:line:column: ...` for text that is not YAML. */
  constructor(text: string, name: string) {
    this.name = name;
    this.#document = parseDocument(text, { lineCounter: this.#lines, intAsBigInt: true });
    const problem = this.#document.errors[0];
    if (problem) {
      const [what] = problem.message.split(/ at line \d+/);
      throw new UsageError(`${this.#at(problem.pos[0])}: ${what}`);
    }
    try {
      this.value = plainNumbers(this.#document.toJS({ maxAliasCount: 100 }));
    } catch (error) {
      throw new UsageError(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** `name:line:column` of the value at a path; of its nearest parent if there is none. With `key`, of that key there. */
  place(path: readonly PropertyKey[], key?: string): string {
    let node: Node | null | undefined = this.#document.contents as Node | null;
    let found: Node | undefined = isNode(node) ? node : undefined;
    for (const step of path) {
      if (isMap(node)) node = node.items.find((item) => keyText(item.key) === String(step))?.value as Node | undefined;
      else if (isSeq(node)) node = node.items[Number(step)] as Node | undefined;
      else break;
      if (!isNode(node)) break;
      found = node;
    }
    if (key !== undefined && isMap(found)) {
      const own = found.items.find((item) => keyText(item.key) === key)?.key;
      if (isNode(own)) found = own;
    }
    const offset = found?.range?.[0];
    return offset === undefined ? this.name : this.#at(offset);
  }

  #at(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.name}:${line}:${col}`;
  }
}

function keyText(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

/** Integers are read as bigint so that 64-bit ones stay whole; those that fit become numbers. */
function plainNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainNumbers(inner)]));
  return value;
}
