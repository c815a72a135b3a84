import type { HookPoint } from '../hooks.js';
import { type Arrow, ArrowPlan, type Leg, type Point } from './arrows.js';
import { isStep, type Journey, journeysOf } from './journeys.js';
import { type Box, HOOK_HEIGHT, inRow, layOut, MARGIN, NODE_GAP, type NodeFrame, ROWS } from './layout.js';
import type { WalkRecord } from './record.js';
import { requestAndReply, type Visit, visitsOf } from './visits.js';

export interface SvgOptions {
  /** Numbers of the account's packets to draw. Default: the first packet, and the first one that came back. */
  readonly packets?: readonly number[];
}

interface Way {
  readonly title: string;
  readonly colour: string;
  readonly journey: Journey;
  readonly visits: readonly Visit[];
}

const COLOURS = ['#1d62b4', '#c2570c', '#2b7a3e', '#7b3fa0'];
const RED = '#c81e1e';
const NODE_HEADER = 46;
const TITLE = 66;
const FONT = 'font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"';
const MONO = 'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace"';
const LEGEND_LINE = 15;
/** Width of a character of the legend's text. */
const CHARACTER = 6.1;
const LEAST_COLUMN = 520;

/** Text for XML, in elements and attributes; characters that XML does not have become replacement characters. */
export function escapeXml(content: string): string {
  const valid = [...content].map((character) => (isXmlCharacter(character.codePointAt(0)!) ? character : '\ufffd'));
  return valid.join('').replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** Char of XML 1.0, section 2.2. */
function isXmlCharacter(code: number): boolean {
  if (code < 0x20) return code === 9 || code === 10 || code === 13;
  return code < 0xd800 || (code >= 0xe000 && code !== 0xfffe && code !== 0xffff);
}

/**
 * The panorama of a walk as an SVG document: every node with its Pods, devices and hooks, the wire between the nodes, and
 * the ways of the request and the reply as numbered arrows; below it, what happened at each number.
 */
export function accountSvg(record: WalkRecord, options: SvgOptions = {}): string {
  const ways = waysOf(record, options);
  const visited = new Set(ways.flatMap(({ visits }) => visits.map(({ place }) => place)));
  const frames = layOut(record, visited);
  const boxes = new Map(frames.flatMap((frame) => frame.boxes.map((box) => [box.key, box] as const)));
  const plan = new ArrowPlan(frames, legsOf(ways, boxes));
  const tops = placeRows(frames, plan);
  const arrows = plan.arrows(tops);
  const bottom = tops.at(-1)!;
  const width = Math.max(900, frames.at(-1) ? frames.at(-1)!.x + frames.at(-1)!.width + MARGIN : 0);
  const wireHeight = plan.corridorHeight(ROWS.length - 1);
  const legend = legendOf(ways, frames, boxes, bottom + wireHeight + 34, width);
  const height = Math.ceil(legend.bottom + MARGIN);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ${FONT} font-size="12">`,
    `<title>${escapeXml(record.title)}</title>`,
    `<defs>${ways.map(({ colour }, i) => marker(i, colour)).join('')}</defs>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(MARGIN, 32, record.title, 'font-size="20" font-weight="bold" fill="#1f2937"'),
    text(MARGIN, 52, record.description.split('\n')[0] ?? '', 'fill="#4b5563"'),
    ...wireParts(record, frames, bottom, wireHeight),
    ...frames.flatMap((frame) => nodeParts(frame, bottom)),
    ...frames.flatMap(({ boxes: own }) => own.flatMap((box) => boxParts(box, visited.has(box.key)))),
    ...pairLines(frames),
    ...arrows.map((arrow) => line(arrow, ways[arrow.leg.way]!.colour)),
    ...arrows.map((arrow) => bubble(arrow.label, arrow.leg.number, ways[arrow.leg.way]!.colour)),
    ...ways.flatMap((way, i) => endMarks(way, i, boxes)),
    ...legend.parts,
    '</svg>',
    '',
  ].join('\n');
}

function waysOf(record: WalkRecord, { packets }: SvgOptions): Way[] {
  const { request, reply } = requestAndReply(record);
  const journeys = packets
    ? journeysOf(record.network.journal).filter(
        (item): item is Journey => item.kind === 'packet' && item.number > 0 && packets.includes(item.number),
      )
    : [request, reply].filter((journey) => journey !== undefined);
  return journeys.map((journey, i) => ({
    title: packets ? `Packet ${journey.number}` : journey === request ? 'Request' : 'Reply',
    colour: COLOURS[i % COLOURS.length]!,
    journey,
    visits: visitsOf(record, journey),
  }));
}

function legsOf(ways: readonly Way[], boxes: ReadonlyMap<string, Box>): Leg[] {
  return ways.flatMap(({ visits }, way) =>
    visits.slice(1).flatMap((visit, i) => {
      const [from, to] = [boxes.get(visits[i]!.place), boxes.get(visit.place)];
      return from && to ? [{ from, to, way, number: visit.number }] : [];
    }),
  );
}

/** Gives the rows of all nodes the same heights; returns where the corridor below each row begins. */
function placeRows(frames: readonly NodeFrame[], plan: ArrowPlan): number[] {
  let y = TITLE + NODE_HEADER;
  return ROWS.map((_, row) => {
    const own = frames.flatMap((frame) => inRow(frame, row));
    for (const box of own) box.y = y;
    const height = Math.max(0, ...own.map((box) => box.height));
    // Boxes of a row end at one line, so that no arrow runs into a lower one.
    for (const box of own) box.y += height - box.height;
    y += height;
    const top = y;
    y += own.length ? plan.corridorHeight(row) : 0;
    return top;
  });
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeXml(content)}</text>`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function marker(index: number, colour: string): string {
  return `<marker id="arrow${index}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="${colour}"/></marker>`;
}

function wireParts(record: WalkRecord, frames: readonly NodeFrame[], bottom: number, height: number): string[] {
  const names = new Set(
    record.network.journal.entries.flatMap((entry) => (isStep(entry, 'wire') ? [entry.step.wire] : [])),
  );
  const last = frames.at(-1);
  if (!last || !frames.some(({ boxes }) => boxes.some(({ row }) => row === ROWS.length - 1))) return [];
  const y = bottom + NODE_GAP / 2 + 4;
  return [
    `<rect x="${MARGIN}" y="${y}" width="${last.x + last.width - MARGIN}" height="${height - 16}" rx="10" fill="#eef2f7" stroke="#94a3b8" stroke-dasharray="6 4"/>`,
    text(MARGIN + 12, y + height - 26, ['wire', ...names].join(' '), 'fill="#64748b" font-weight="bold"'),
  ];
}

function nodeParts(frame: NodeFrame, bottom: number): string[] {
  const { x, width, name, pods } = frame;
  return [
    `<rect x="${x}" y="${TITLE}" width="${width}" height="${bottom - TITLE + 12}" rx="12" fill="#f8fafc" stroke="#475569" stroke-width="1.5"/>`,
    text(x + 16, TITLE + 25, name, 'font-size="16" font-weight="bold" fill="#1f2937"'),
    ...pods.map(({ boxes }) => {
      const [first, last] = [boxes[0]!, boxes.at(-1)!];
      const [top, end] = [first.y - 9, last.y + last.height + 9];
      return `<rect x="${first.x - 10}" y="${top}" width="${first.width + 20}" height="${end - top}" rx="9" fill="#e6f4ea" stroke="#4d8f63"/>`;
    }),
  ];
}

const POINT_NAMES: Readonly<Record<HookPoint, string>> = {
  xdp: 'xdp',
  'tc-ingress': 'tc ingress',
  'tc-egress': 'tc egress',
};

function boxParts(box: Box, isVisited: boolean): string[] {
  const { x, y, width, height, title, subtitle, hooks, row } = box;
  if (row === 0) return [text(x + width / 2, y + 18, title, 'text-anchor="middle" font-weight="bold" fill="#1e5631"')];
  const stroke = isVisited ? '#334155' : '#b6c0cc';
  const parts = [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${hooks.length ? '#fffbeb' : '#ffffff'}" stroke="${stroke}" stroke-width="1.2"/>`,
    text(x + 10, y + 17, title, 'font-weight="bold" fill="#1f2937"'),
    text(x + 10, y + 32, subtitle, 'font-size="10" fill="#64748b"'),
  ];
  for (const [i, { point, program }] of hooks.entries()) {
    const at = y + 45 + i * HOOK_HEIGHT;
    parts.push(
      `<circle cx="${x + 15}" cy="${at}" r="4.5" fill="#f59e0b" stroke="#92400e"/>`,
      text(x + 25, at + 4, POINT_NAMES[point], 'font-size="10" fill="#78350f"'),
      text(x + 80, at + 4, shortened(program, 23), `${MONO} font-size="10.5" fill="#1f2937"`),
    );
  }
  return parts;
}

function shortened(content: string, most: number): string {
  return content.length > most ? `${content.slice(0, most - 1)}…` : content;
}

/** The two ends of a veth pair belong together. */
function pairLines(frames: readonly NodeFrame[]): string[] {
  return frames.flatMap(({ pods, boxes }) =>
    pods.flatMap(({ boxes: [, inner] }) => {
      const outer = inner && boxes.find(({ row, x }) => row === 2 && x === inner.x);
      if (!inner || !outer) return [];
      const [top, end] = [inner.y + inner.height, outer.y];
      return [14, inner.width - 14].map(
        (offset) =>
          `<line x1="${inner.x + offset}" y1="${top}" x2="${inner.x + offset}" y2="${end}" stroke="#64748b" stroke-dasharray="3 3"/>`,
      );
    }),
  );
}

function line({ leg, points }: Arrow, colour: string): string {
  const path = points.map(({ x, y }, i) => `${i ? 'L' : 'M'}${round(x)} ${round(y)}`).join('');
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round" marker-end="url(#arrow${leg.way})"/>`;
}

function bubble({ x, y }: Point, number: number, colour: string): string {
  return [
    `<circle cx="${round(x)}" cy="${round(y)}" r="9" fill="${colour}" stroke="#ffffff" stroke-width="1.5"/>`,
    text(x, y + 3.5, String(number), 'text-anchor="middle" font-size="10" font-weight="bold" fill="#ffffff"'),
  ].join('');
}

/** Where a way begins, and the cross where it ends before its time. */
function endMarks({ visits, colour }: Way, index: number, boxes: ReadonlyMap<string, Box>): string[] {
  const parts: string[] = [];
  const [first] = visits;
  const start = first && boxes.get(first.place);
  const offset = start?.row === 0 ? 14 + index * 22 : (start?.width ?? 0) - 50 - index * 22;
  if (start) parts.push(bubble({ x: start.x + offset, y: start.y + start.height - 14 }, 1, colour));
  for (const visit of visits.filter(({ isDropped }) => isDropped)) {
    const box = boxes.get(visit.place);
    if (!box) continue;
    const [x, y] = [box.x + box.width - 18 - index * 26, box.y + 18];
    parts.push(
      `<path d="M${x - 9} ${y - 9}L${x + 9} ${y + 9}M${x - 9} ${y + 9}L${x + 9} ${y - 9}" stroke="${RED}" stroke-width="5" stroke-linecap="round"/>`,
    );
  }
  return parts;
}

/** What happened at each number, one column a way; columns below each other in a narrow picture. */
function legendOf(
  ways: readonly Way[],
  frames: readonly NodeFrame[],
  boxes: ReadonlyMap<string, Box>,
  top: number,
  width: number,
): { parts: string[]; bottom: number } {
  const columns = Math.max(1, Math.min(ways.length, Math.floor((width - 2 * MARGIN) / LEAST_COLUMN)));
  const columnWidth = (width - 2 * MARGIN) / columns;
  const parts: string[] = [];
  const bottoms = new Array<number>(columns).fill(top);
  for (const [i, { title, colour, journey, visits }] of ways.entries()) {
    const column = i % columns;
    const x = MARGIN + column * columnWidth;
    const characters = Math.floor((columnWidth - 50) / CHARACTER);
    let y = bottoms[column]! + 16;
    parts.push(text(x, y, title, `font-size="14" font-weight="bold" fill="${colour}"`));
    for (const part of wrapped(journey.line.trim(), characters)) {
      y += LEGEND_LINE;
      parts.push(text(x, y, part, `${MONO} font-size="10" fill="#374151"`));
    }
    y += 6;
    for (const visit of visits) {
      const content = `${placeName(visit, boxes, frames)}: ${visit.texts.join('; ') || 'passes'}`;
      for (const [n, part] of wrapped(content, characters).entries()) {
        y += LEGEND_LINE;
        if (n === 0) parts.push(bubble({ x: x + 9, y: y - 4 }, visit.number, visit.isDropped ? RED : colour));
        parts.push(text(x + 24, y, part, `${MONO} font-size="10" fill="${visit.isDropped ? RED : '#1f2937'}"`));
      }
      y += 5;
    }
    bottoms[column] = y + 18;
  }
  return { parts, bottom: Math.max(...bottoms) };
}

/** `node1 Pod nginx eth0`, as the picture names it. */
function placeName({ place }: Visit, boxes: ReadonlyMap<string, Box>, frames: readonly NodeFrame[]): string {
  const box = boxes.get(place);
  const frame = box && frames[box.node];
  if (!frame) return place;
  const pod = frame.pods.find((candidate) => candidate.boxes[1] === box)?.boxes[0];
  return [frame.name, ...(pod ? [pod.title] : []), box.title].join(' ');
}

/** Lines of at most so many characters, broken at blanks where there are some. */
function wrapped(content: string, most: number): string[] {
  const lines: string[] = [];
  let rest = content;
  while (rest.length > most) {
    const blank = rest.lastIndexOf(' ', most);
    const at = blank > most / 2 ? blank : most;
    lines.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return [...lines, rest];
}
