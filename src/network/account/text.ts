import { formatEvent } from '../../cilium/events/format.js';
import { formatAddress } from '../../packet/addresses.js';
import type { JournalEntry } from '../journal.js';
import { endText } from './changes.js';
import { DROP_HELP } from './drop-help.js';
import { dropAccount } from './drops.js';
import type { DecodedChange } from './facts.js';
import { type HookAccount, hookAccount, socketAccount } from './hook-account.js';
import { isStep, type Journey, journeysOf, type SocketCall } from './journeys.js';
import { nameOfEnd, type WalkRecord } from './record.js';
import { withoutRounds } from './rounds.js';
import { placeText, stepText } from './steps.js';

/** What a piece of text is, for whoever colours it. */
export type Tone = 'title' | 'packet' | 'hook' | 'good' | 'redirect' | 'bad' | 'change' | 'note' | 'light';

export type Style = (tone: Tone, text: string) => string;

export interface TextOptions {
  /** Adds maps read and written, events, notes, and the packets of neighbour resolution. */
  readonly verbose?: boolean;
  /** Default: as it is. */
  readonly style?: Style;
}

/** A line of a packet's way; the first cells are aligned over the whole account. */
interface Row {
  readonly cells: readonly { readonly tone: Tone; readonly text: string }[];
  /** Lines below, already styled. */
  readonly below: readonly string[];
}

const ALIGNED = 4;
const INDENT = '    ';
const BELOW = '        ';

/** The account of a walk for people, as lines: a heading for each packet, a line for each hook and each step between them. */
export function accountText(record: WalkRecord, options: TextOptions = {}): string[] {
  return new AccountText(record, options).lines();
}

class AccountText {
  readonly #record: WalkRecord;
  readonly #isVerbose: boolean;
  readonly #style: Style;

  constructor(record: WalkRecord, { verbose = false, style = (_, text) => text }: TextOptions) {
    this.#record = record;
    this.#isVerbose = verbose;
    this.#style = style;
  }

  lines(): string[] {
    const { title, description, network } = this.#record;
    const items = journeysOf(network.journal)
      .filter((item) => this.#isShown(item))
      .map((item) => ({ heading: this.#heading(item), rows: this.#rows(item) }));
    const widths = Array.from({ length: ALIGNED }, (_, i) =>
      Math.max(
        0,
        ...items.flatMap(({ rows }) => rows.flatMap(({ cells }) => (cells.length > i + 1 ? cells[i]!.text.length : 0))),
      ),
    );
    const lines = [this.#style('title', title)];
    if (description) lines.push(...description.trimEnd().split('\n'));
    for (const { heading, rows } of items) {
      lines.push('', ...heading);
      for (const { cells, below } of rows) lines.push(this.#row(cells, widths), ...below);
    }
    return [...lines, '', ...this.#summary()];
  }

  #isShown(item: Journey | SocketCall): boolean {
    return item.kind === 'call' || !item.isResolution || this.#isVerbose || item.end === 'dropped';
  }

  #row(cells: Row['cells'], widths: readonly number[]): string {
    const texts = cells.map(({ tone, text }, i) => {
      const isLast = i === cells.length - 1;
      return this.#style(tone, text) + (isLast ? '' : ' '.repeat(Math.max(0, (widths[i] ?? 0) - text.length)));
    });
    return (INDENT + texts.join('  ')).trimEnd();
  }

  #heading(item: Journey | SocketCall): string[] {
    if (item.kind === 'call') {
      const { step } = item.entry;
      const before = endText(formatAddress(step.before.address), step.before.port);
      const name = nameOfEnd(this.#record.names, before);
      return [this.#style('packet', `-  ${step.hook}(${before}${name ? `, ${name}` : ''})`)];
    }
    const number = item.isResolution ? '-' : String(item.number);
    return [this.#style(item.isResolution ? 'light' : 'packet', `${number}  ${item.line.trim()}`)];
  }

  #rows(item: Journey | SocketCall): Row[] {
    if (item.kind === 'call') {
      const account = socketAccount(this.#record, item.entry);
      return [this.#hookRow(item.entry, account, account.verdict === 'ALLOW' ? 'good' : 'bad')];
    }
    const { entries } = item;
    const rows = entries.flatMap((entry, i): Row[] => {
      if (isStep(entry, 'hook')) {
        const account = hookAccount(this.#record, entry, entries[i + 1]);
        return [this.#hookRow(entry, account, toneOf(account)), ...this.#answerRows(entry, account)];
      }
      if (isStep(entry, 'drop')) return [this.#dropRow(item, entry)];
      // A redirect is told with the hook that asked for it.
      if (isStep(entry, 'redirect') && isHookBefore(entries, i)) return [];
      const text = stepText(entry, this.#record.names);
      if (!text) return [];
      const tone = isStep(entry, 'deliver') ? 'good' : 'light';
      return [{ cells: this.#cells(entry, text.what, tone, { tone, text: text.text }), below: [] }];
    });
    return withoutRounds(rows, roundKey).map((told) => ('item' in told ? told.item : this.#repeatRow(told)));
  }

  #repeatRow({ repeats, steps }: { repeats: number; steps: number }): Row {
    const text = `... the last ${steps} steps ${repeats} times more`;
    return { cells: [{ tone: 'light', text }], below: [] };
  }

  #cells(entry: JournalEntry, what: string, tone: Tone, ...rest: Row['cells']): Row['cells'] {
    return [
      { tone: tone === 'hook' ? 'hook' : 'light', text: placeText(entry.at) },
      { tone: tone === 'hook' ? 'hook' : 'light', text: entry.at.device ?? '' },
      { tone, text: what },
      ...rest,
    ];
  }

  #hookRow(entry: JournalEntry, account: HookAccount, tone: Tone): Row {
    const { hook, program, tailCalls, verdict, target, changes } = account;
    const chain = [program, ...tailCalls].join(' > ');
    const text = changes.length ? `${chain}: ${this.#style('change', changes.join(', '))}` : chain;
    const cells = this.#cells(
      entry,
      hook,
      'hook',
      { tone, text: target ? `${verdict} ${target}` : verdict },
      { tone: 'hook', text },
    );
    return { cells, below: this.#isVerbose ? this.#details(account) : [] };
  }

  #answerRows(entry: JournalEntry, { answer, program, tailCalls }: HookAccount): Row[] {
    if (!answer) return [];
    const by = [program, ...tailCalls].at(-1);
    const cells = this.#cells(entry, 'answer', 'bad', {
      tone: 'bad',
      text: `${answer.reason}: ${by} sends ${answer.text}`,
    });
    return [{ cells, below: [BELOW + this.#style('note', DROP_HELP[answer.reason])] }];
  }

  #details({ facts, notes, stateChanges }: HookAccount): string[] {
    const lines = notes.map((note) => this.#style('note', note));
    if (stateChanges.length) lines.push(this.#style('change', `state: ${stateChanges.join(', ')}`));
    for (const access of facts.accesses) {
      const { map, operation, keyText, valueText, errorName } = access;
      if (operation !== 'lookup') continue;
      lines.push(this.#style('light', `read ${map}[${keyText}] = ${errorName ? 'nothing' : (valueText ?? 'found')}`));
    }
    lines.push(...facts.changes.map((change) => this.#style('light', changeLine(change))));
    const events = [...facts.events.map((event) => formatEvent(event)), ...facts.otherEvents];
    lines.push(...events.map((event) => this.#style('light', `event ${event}`)));
    return lines.map((line) => BELOW + line);
  }

  #dropRow(journey: Journey, entry: Parameters<typeof dropAccount>[2]): Row {
    const { reason, programs, source, detail, causes, explanation } = dropAccount(this.#record, journey, entry);
    const by = programs.length ? ` by ${programs.join(' > ')}` : '';
    const cells = this.#cells(entry, 'drop', 'bad', {
      tone: 'bad',
      text: `${reason}${by}${source ? `, ${source}` : ''}`,
    });
    const below = [...(programs.length && causes.length ? [] : [detail]), ...causes, explanation];
    return { cells, below: below.map((line, i) => BELOW + this.#style(i < below.length - 1 ? 'bad' : 'note', line)) };
  }

  #summary(): string[] {
    return this.#record.flows.map(({ name, result, expected, asExpected }) => {
      const { completed, sent, arrived, error } = result;
      const end = completed ? this.#style('good', 'complete') : this.#style('bad', 'not complete');
      const because = error ? `: ${error}` : '';
      const but = asExpected === false ? this.#style('bad', 'not as expected: ') : 'expected: ';
      return `${name}: ${end}, ${arrived} of ${sent} packets arrived${because}${expected ? ` (${but}${expected})` : ''}`;
    });
  }
}

/** Rows are the same in every round but for the TTL. */
function roundKey({ cells }: Row): string {
  return cells.map(({ text }) => text.replace(/(ttl|hop limit) \d+ -> \d+/g, '$1')).join('\t');
}

function isHookBefore(entries: readonly JournalEntry[], index: number): boolean {
  const before = entries[index - 1];
  return before !== undefined && isStep(before, 'hook');
}

function changeLine({ map, keyText, beforeText, afterText }: DecodedChange): string {
  if (beforeText === undefined) return `made ${map}[${keyText}] = ${afterText}`;
  if (afterText === undefined) return `removed ${map}[${keyText}], it was ${beforeText}`;
  return `changed ${map}[${keyText}]: ${beforeText} -> ${afterText}`;
}

const DROPS: ReadonlySet<string> = new Set(['TC_ACT_SHOT', 'XDP_DROP', 'XDP_ABORTED', 'FAULT']);

function toneOf({ verdict }: HookAccount): Tone {
  if (DROPS.has(verdict)) return 'bad';
  return /REDIRECT|XDP_TX/.test(verdict) ? 'redirect' : 'good';
}
