import { UsageError } from '../errors.js';
import { readAddress, readIPv4 } from './addresses.js';
import { buildFrame } from './build.js';
import { readHex } from './bytes.js';
import { FLAG_WORDS, Mismatch, readFlags, SHAPES, type StatementShape, TERMS, type Term, termsOf } from './grammar.js';
import type { Endpoint, Statement } from './statement.js';
import { suggest } from './suggest.js';

/** A description of a packet that cannot be read: what is wrong, where, and what was expected there. */
export class PacketWordsError extends UsageError {
  override name = 'PacketWordsError';
  /** Column in the description, from 1. */
  readonly column: number;
  readonly reason: string;

  constructor(reason: string, column: number) {
    super(`packet in words, column ${column}: ${reason}`);
    this.reason = reason;
    this.column = column;
  }
}

/** Packets within packets that a description may have. */
const MAX_DEPTH = 8;

/**
 * Bytes of a packet described in words, such as `tcp 10.0.0.250:40418 > 172.16.16.87:80 syn`; {@link packetGrammar} is
 * the whole language. Starts with an Ethernet header unless `noeth` says otherwise. Lengths and checksums are right
 * unless words ask for wrong ones.
 * @throws PacketWordsError (a UsageError) with the column of what cannot be read.
 */
export function buildPacket(description: string): Uint8Array {
  const statement = new WordParser(tokenize(description), description.length).parse();
  const bytes = buildFrame(statement);
  if (bytes.length > 0xffff + 64) {
    throw new PacketWordsError(`the packet would have ${bytes.length} bytes, more than an IP packet can`, 1);
  }
  return bytes;
}

/**
 * Bytes of a packet given as hex (`hex:` in front, or hex digits with blanks, newlines, colons, `0x`, or the offsets and
 * text columns of `tcpdump -x` and `-X`), else as words.
 * @throws UsageError if it is neither.
 */
export function packetFromText(text: string): Uint8Array {
  const trimmed = text.trim();
  if (trimmed === '')
    throw new UsageError('the packet is empty: give hex or words such as "udp 10.0.0.1:1 > 10.0.0.2:53"');
  if (/^hex:/i.test(trimmed)) return hexPacket(trimmed.slice(4));
  return looksLikeHex(trimmed) ? hexPacket(trimmed) : buildPacket(text);
}

function looksLikeHex(text: string): boolean {
  return (
    /^(0x[0-9a-f]{4,8}:\s|0x[0-9a-f]{2}|[0-9a-f]{2})/i.test(text) && /^[0-9a-f\s:x]*$/i.test(withoutDumpColumns(text))
  );
}

function withoutDumpColumns(text: string): string {
  // Each run of digits ends in a blank or at the end: one way to read a line, so no backtracking on long ones.
  return text.replace(
    /^[ \t]*0x[0-9a-f]{4,8}:[ \t]+((?:[0-9a-f]{2,4}[ \t])*[0-9a-f]{2,4})(?:[ \t]{2,}.*)?[ \t]*$/gim,
    '$1',
  );
}

function hexPacket(text: string): Uint8Array {
  const digits = withoutDumpColumns(text)
    .replace(/\b0x/gi, '')
    .replace(/[\s:,]/g, '');
  const wrong = digits.search(/[^0-9a-f]/i);
  if (wrong >= 0) throw new UsageError(`packet in hex: "${digits[wrong]}" (digit ${wrong + 1}) is not a hex digit`);
  if (digits.length % 2 !== 0) {
    throw new UsageError(`packet in hex: ${digits.length} digits are not whole bytes, one is missing or too many`);
  }
  return readHex(digits)!;
}

interface Token {
  /** The word without its value: all of it, or what stands before `=`. */
  readonly word: string;
  /** What stands behind `=`, escapes of a quoted text resolved. */
  readonly value?: string;
  /** A quoted text alone. */
  readonly isText?: boolean;
  readonly column: number;
  readonly valueColumn: number;
}

function tokenize(description: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:([A-Za-z][\w-]*)=)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/gsy;
  while (pattern.lastIndex < description.length) {
    const start = pattern.lastIndex;
    const match = pattern.exec(description)!;
    const column = start + (match[0].length - match[0].trimStart().length) + 1;
    const [all, key, quoted, plain] = match;
    if (all.trim() === '' && quoted === undefined) {
      if (pattern.lastIndex >= description.length) break;
      throw new PacketWordsError('a text in quotes does not end', column);
    }
    const valueColumn = column + (key === undefined ? 0 : key.length + 1);
    if (key !== undefined) {
      const value = quoted === undefined ? plain! : unescapeText(quoted, valueColumn);
      tokens.push({ word: key, value, column, valueColumn });
    } else if (quoted !== undefined) {
      tokens.push({ word: unescapeText(quoted, column), isText: true, column, valueColumn });
    } else pushPlain(tokens, plain!, column);
    if (pattern.lastIndex < description.length && !/\s/.test(description[pattern.lastIndex]!)) {
      throw new PacketWordsError('expected a blank here, words stand apart', pattern.lastIndex + 1);
    }
  }
  return tokens;
}

/** `A>B` and `A->B` without blanks are three words. */
function pushPlain(tokens: Token[], text: string, column: number): void {
  for (const match of text.matchAll(/->|>|(?:[^->]|-(?!>))+/g)) {
    const place = column + match.index;
    tokens.push({ word: match[0] === '->' ? '>' : match[0], column: place, valueColumn: place });
  }
}

/** `\xHH` is for ASCII; other characters stand for themselves and become UTF-8. */
function unescapeText(text: string, column: number): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/gs, (all, code: string, index: number) => {
    const simple: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', '0': '\0' };
    if (Object.hasOwn(simple, code)) return simple[code]!;
    if (code.length === 3) {
      const byte = Number.parseInt(code.slice(1), 16);
      if (byte < 0x80) return String.fromCharCode(byte);
      throw new PacketWordsError(`${all} is not text: bytes above 7f go into payload=hex:...`, column + 1 + index);
    }
    throw new PacketWordsError(`unknown escape ${all}: expected \\n \\r \\t \\0 \\" \\\\ or \\xHH`, column + 1 + index);
  });
}

class WordParser {
  private position = 0;

  constructor(
    private readonly tokens: readonly Token[],
    private readonly length: number,
  ) {}

  parse(): Statement {
    return this.statement(1);
  }

  private fail(reason: string, token?: Token, inValue = false): never {
    const column = token ? (inValue ? token.valueColumn : token.column) : this.length + 1;
    throw new PacketWordsError(reason, column);
  }

  private statement(depth: number): Statement {
    const shape = this.shape();
    const statement: Statement = { protocol: shape.protocol };
    const terms = termsOf(shape.protocol);
    const seen = new Set<string>();
    let isInner = false;
    for (let token = this.tokens[this.position]; token; token = this.tokens[this.position]) {
      this.position++;
      if (token.word === ':' && token.value === undefined && !token.isText) {
        this.inner(statement, shape, token, depth);
        isInner = true;
        break;
      }
      this.word(statement, shape, terms, token, seen);
    }
    this.complete(statement, shape, isInner);
    return statement;
  }

  private shape(): StatementShape {
    const names = SHAPES.map((shape) => shape.protocol as string);
    const token = this.tokens[this.position++];
    if (!token) this.fail(`expected a protocol: ${names.join(', ')}`);
    const shape = SHAPES.find((candidate) => candidate.protocol === token.word.toLowerCase());
    if (shape && token.value === undefined && !token.isText) return shape;
    const near = suggest(token.word, names);
    this.fail(
      `"${token.word}" is not a protocol${near ? `; did you mean "${near}"?` : `: expected ${names.join(', ')}`}`,
      token,
    );
  }

  private inner(statement: Statement, shape: StatementShape, token: Token, depth: number): void {
    if (!shape.takesInner) {
      const outer = SHAPES.filter((candidate) => candidate.takesInner).map((candidate) => candidate.protocol);
      this.fail(`${shape.protocol} carries no packet: only ${outer.join(', ')} do`, token);
    }
    if (statement.payload) this.fail('a packet inside and a payload exclude each other', token);
    if (depth >= MAX_DEPTH) this.fail(`more than ${MAX_DEPTH} packets within packets`, token);
    const start = this.tokens[this.position];
    const inner = this.statement(depth + 1);
    const takesIpOnly = ['icmp', 'icmp6', 'ipip'].includes(shape.protocol);
    if (takesIpOnly && (inner.protocol === 'arp' || inner.protocol === 'eth')) {
      this.fail(`${shape.protocol} carries IP packets, not ${inner.protocol}`, start);
    }
    if (shape.family && inner.source && inner.source.address.length !== (shape.family === 4 ? 4 : 16)) {
      this.fail(`${shape.protocol} quotes IPv${shape.family} packets`, start);
    }
    if (statement.icmpType === undefined) {
      if (shape.protocol === 'icmp') statement.icmpType = 3;
      if (shape.protocol === 'icmp6') statement.icmpType = 1;
    }
    statement.inner = inner;
  }

  private word(statement: Statement, shape: StatementShape, terms: Term[], token: Token, seen: Set<string>): void {
    if (token.isText) {
      this.once(seen, 'payload', token);
      this.apply(
        statement,
        terms.find((term) => term.word === 'payload') ?? this.unknown(shape, terms, token),
        token.word,
        token,
      );
      // A text that looks like hex:... is still a text.
      statement.payload = new TextEncoder().encode(token.word);
      return;
    }
    if (token.value !== undefined) {
      const term = terms.find((candidate) => candidate.word === token.word && candidate.value);
      if (!term) this.unknown(shape, terms, token);
      this.once(seen, token.word === 'len' ? 'payload' : token.word, token);
      this.apply(statement, term, token.value, token);
      return;
    }
    if (shape.endpoints && !statement.source && (readEndpoint(token.word) || /^[[\d]/.test(token.word))) {
      this.endpoints(statement, shape, token);
      return;
    }
    const term = terms.find((candidate) => candidate.word === token.word.toLowerCase() && !candidate.value);
    if (term?.next) {
      const next = this.tokens[this.position++];
      if (!next || next.value !== undefined) this.fail(`expected ${term.next} behind ${term.word}`, next);
      this.apply(statement, term, next.word, next);
      return;
    }
    if (term) {
      this.apply(statement, term, '', token);
      return;
    }
    const flags = shape.protocol === 'tcp' ? readFlags(token.word) : undefined;
    if (flags === undefined) this.unknown(shape, terms, token);
    statement.flags = (statement.flags ?? 0) | flags;
  }

  private once(seen: Set<string>, word: string, token: Token): void {
    if (seen.has(word)) this.fail(`${word} is given twice`, token);
    seen.add(word);
  }

  private apply(statement: Statement, term: Term, value: string, token: Token): void {
    try {
      term.apply(statement, value);
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      this.fail(`${term.word} takes ${error.expected}, not "${value}"`, token, true);
    }
  }

  private unknown(shape: StatementShape, terms: readonly Term[], token: Token): never {
    const { protocol } = shape;
    const own = terms.map((term) => term.word);
    const spelled = terms.find((term) => term.word === token.word);
    if (spelled?.value) this.fail(`${token.word} needs a value: ${token.word}=${spelled.value}`, token);
    if (spelled) this.fail(`${token.word} takes no value`, token);
    if (readEndpoint(token.word)) {
      this.fail(
        shape.endpoints ? `both endpoints are given already` : `${protocol} has no SOURCE > DESTINATION`,
        token,
      );
    }
    const others = SHAPES.filter((other) => termsOf(other.protocol).some((term) => term.word === token.word));
    if (others.length > 0) {
      this.fail(
        `${token.word} is a word of ${others.map((other) => other.protocol).join(', ')}, not of ${protocol}`,
        token,
      );
    }
    const near = suggest(token.word, protocol === 'tcp' ? [...own, ...FLAG_WORDS] : own);
    const hint = near ? `; did you mean "${near}"?` : `: expected ${describeWords(shape, own)}`;
    this.fail(`"${token.word}" is not a word of ${protocol}${hint}`, token);
  }

  private endpoints(statement: Statement, shape: StatementShape, token: Token): void {
    statement.source = this.endpoint(shape, token);
    const arrow = this.tokens[this.position++];
    if (arrow?.word !== '>' || arrow.isText) this.fail('expected > and the destination behind the source', arrow);
    const destination = this.tokens[this.position++];
    if (!destination || destination.value !== undefined || destination.isText) {
      this.fail('expected the destination behind >', destination);
    }
    statement.destination = this.endpoint(shape, destination);
    if (statement.source.address.length !== statement.destination.address.length) {
      this.fail('source and destination are not of one family: one is IPv4, the other IPv6', destination);
    }
  }

  private endpoint(shape: StatementShape, token: Token): Endpoint {
    const endpoint = readEndpoint(token.word);
    const form = shape.endpoints === 'address:port' ? '10.0.0.1:80 or [fd00::1]:80' : '10.0.0.1 or fd00::1';
    if (!endpoint) this.fail(`expected an endpoint such as ${form}, not "${token.word}"`, token);
    if (shape.endpoints === 'address' && endpoint.port !== undefined)
      this.fail(`${shape.protocol} has no ports`, token);
    if (shape.family && endpoint.address.length !== (shape.family === 4 ? 4 : 16)) {
      const other = shape.family === 4 ? 'icmp6' : 'icmp';
      const hint = shape.protocol === 'igmp' ? '' : `; ${other} goes over IPv${shape.family === 4 ? 6 : 4}`;
      this.fail(`${shape.protocol} goes over IPv${shape.family}${hint}`, token);
    }
    return endpoint;
  }

  private complete(statement: Statement, shape: StatementShape, hasInner: boolean): void {
    const end = hasInner ? undefined : this.tokens[this.position];
    if (shape.endpoints && !statement.source) {
      this.fail(`expected SOURCE > DESTINATION for ${shape.protocol}, such as ${exampleEndpoints(shape)}`, end);
    }
    const needsPorts = shape.endpoints === 'address:port' && !(statement.fragment && statement.fragment.offset > 0);
    for (const endpoint of [statement.source, statement.destination]) {
      if (needsPorts && endpoint && endpoint.port === undefined) {
        const text = endpoint.address.length === 4 ? 'ADDRESS:PORT' : '[ADDRESS]:PORT';
        this.fail(`${shape.protocol} needs ports: ${text} on both sides`, end);
      }
    }
    if (shape.protocol === 'arp' && !statement.arpSender && !statement.arpTarget) {
      this.fail('expected "who-has IP tell IP" or "reply IP is-at MAC" for arp', end);
    }
    const isTcp = shape.protocol === 'tcp';
    if (isTcp && statement.flags === undefined) statement.flags = statement.payload?.length ? 0x18 : 0x10;
  }
}

function exampleEndpoints(shape: StatementShape): string {
  if (shape.family === 6) return 'fd00::1 > fd00::2';
  return shape.endpoints === 'address:port' ? '10.0.0.1:40000 > 10.0.0.2:80' : '10.0.0.1 > 10.0.0.2';
}

function describeWords(shape: StatementShape, own: readonly string[]): string {
  const words = shape.protocol === 'tcp' ? ['flags such as syn,ack', ...own] : own;
  return words.length > 12 ? `${words.slice(0, 12).join(', ')} ... (--help lists all)` : words.join(', ');
}

/** `A.B.C.D`, `A.B.C.D:PORT`, `IPV6`, `[IPV6]`, `[IPV6]:PORT`, and tcpdump's `A.B.C.D.PORT`. */
function readEndpoint(text: string): Endpoint | undefined {
  const plain = readAddress(text);
  if (plain) return { address: plain };
  const match = /^\[(.*)\](?::(\d{1,5}))?$/.exec(text) ?? /^([\d.]+)[:.](\d{1,5})$/.exec(text);
  if (!match) return undefined;
  const address = text.startsWith('[') ? readAddress(match[1]!) : readIPv4(match[1]!);
  if (!address || Number(match[2] ?? 0) > 0xffff) return undefined;
  return match[2] === undefined ? { address } : { address, port: Number(match[2]) };
}

/** The language of {@link buildPacket} as text for `--help`, made from the tables that the parser reads. */
export function packetGrammar(): string {
  const lines = ['PROTOCOL [SOURCE > DESTINATION] [WORD ...] [: PACKET]', '', 'Protocols:'];
  for (const shape of SHAPES) {
    const endpoints = shape.endpoints ?? '';
    lines.push(`  ${shape.protocol.padEnd(7)} ${endpoints.padEnd(15)} ${shape.help}`);
  }
  for (const { title, terms } of sections()) lines.push('', `${title}:`, ...helpLines(terms));
  lines.push(
    '',
    'Hex instead of words: hex:0011..., or plain digits with blanks, newlines or colons.',
    '',
    'Examples:',
  );
  for (const example of EXAMPLES) lines.push(`  ${example}`);
  return lines.join('\n');
}

export const EXAMPLES: readonly string[] = [
  'tcp 10.0.0.250:40418 > 172.16.16.87:80 syn options=mss:1410,sackOK,TS:1:0,nop,wscale:7',
  'udp [fd00::1]:5353 > [fd00::2]:53 "hello"',
  'icmp 10.0.0.1 > 10.0.0.2 echo id=1 seq=2 len=56',
  'icmp 10.0.0.2 > 10.0.0.1 unreachable port : udp 10.0.0.1:1000 > 10.0.0.2:53 len=8',
  'icmp6 fe80::1 > ff02::1:ff00:2 ns target=fd00::2 lladdr=02:00:00:00:00:01',
  'arp who-has 10.0.0.2 tell 10.0.0.1',
  'arp reply 10.0.0.2 is-at 02:00:00:00:00:02',
  'vxlan vni=1234 192.168.1.15 > 192.168.1.13 : tcp 10.0.0.250:40418 > 10.0.1.60:80 syn',
];

/** A word that so many protocols share is listed with those of all packets. */
const COMMON = 8;

function sections(): { title: string; terms: readonly Term[] }[] {
  const own = (protocol: string) =>
    TERMS.filter((term) => term.protocols.length === 1 && term.protocols[0] === protocol);
  return [
    {
      title: 'Words of all packets, or all that can have them',
      terms: TERMS.filter((t) => t.protocols.length >= COMMON),
    },
    {
      title: 'Words of several protocols',
      terms: TERMS.filter((term) => term.protocols.length > 1 && term.protocols.length < COMMON),
    },
    ...SHAPES.map(({ protocol }) => ({ title: `Words of ${protocol}`, terms: own(protocol) })),
  ].filter((section) => section.terms.length > 0);
}

function helpLines(terms: readonly Term[]): string[] {
  const lines: string[] = [];
  const groups = new Map<string, string[]>();
  for (const term of terms) {
    if (!term.group) {
      const form = term.value ? `${term.word}=${term.value}` : term.next ? `${term.word} ${term.next}` : term.word;
      const isShared = term.protocols.length > 1 && term.protocols.length < COMMON;
      const of = isShared ? `[${term.protocols.join(', ')}] ` : '';
      lines.push(...wrap(`  ${form.padEnd(30)} `, `${of}${term.help}`));
      continue;
    }
    const words = groups.get(term.group);
    if (words) words.push(term.word);
    else groups.set(term.group, [term.word]);
  }
  for (const [group, words] of groups) lines.push(...wrap(`  ${group}: `, words.join(' | ')));
  return lines;
}

/** Lines of at most 118 columns: `head`, then the text, continued below its own start. */
function wrap(head: string, text: string): string[] {
  const indent = ' '.repeat(Math.min(head.length, 33));
  const lines: string[] = [];
  let line = head;
  for (const word of text.split(' ')) {
    if (line.length + word.length > 117 && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = indent;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
