import { type Box, NODE_PADDING, type NodeFrame, ROWS } from './layout.js';

/** One arrow from box to box. */
export interface Leg {
  readonly from: Box;
  readonly to: Box;
  /** Index of the way it belongs to. */
  readonly way: number;
  /** Number of the visit it leads to. */
  readonly number: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** An arrow with its corners, and where its number stands. */
export interface Arrow {
  readonly leg: Leg;
  readonly points: readonly Point[];
  readonly label: Point;
}

/** The corridor below the last row lies outside the nodes: the wire. */
const WIRE = ROWS.length - 1;
/** Between the edge of a row and the first lane: room for an arrow's number. */
const LANE_MARGIN = 30;
const LANE = 13;
const CHANNEL = 9;
const LABEL_DISTANCE = 17;
const PORT = 26;

type Edge = 'top' | 'bottom';

interface End {
  readonly leg: Leg;
  readonly box: Box;
  readonly other: Box;
  readonly edge: Edge;
  /** Corridor that the edge faces: corridor n lies below row n. */
  readonly corridor: number;
  x: number;
}

interface Planned {
  readonly leg: Leg;
  readonly from: End;
  readonly to: End;
  /** Lanes by corridor; one for each end, the same one if both face the same corridor. */
  lanes: readonly [number, number];
  channel: number;
}

/** Which edges an arrow uses: those that face each other, or both lower ones within a row. */
function edgesOf(from: Box, to: Box): [Edge, Edge] {
  if (from.node !== to.node || from.row === to.row) return ['bottom', 'bottom'];
  return from.row < to.row ? ['bottom', 'top'] : ['top', 'bottom'];
}

function endOf(leg: Leg, box: Box, other: Box, edge: Edge): End {
  return { leg, box, other, edge, corridor: edge === 'bottom' ? box.row : box.row - 1, x: 0 };
}

/** Plans the arrows of a picture: every end gets a port of its own, every corner a lane of its own. */
export class ArrowPlan {
  readonly #planned: Planned[];
  readonly #lanes = new Map<string, number>();
  readonly #frames: readonly NodeFrame[];

  constructor(frames: readonly NodeFrame[], legs: readonly Leg[]) {
    this.#frames = frames;
    this.#planned = legs.map((leg) => {
      const [a, b] = edgesOf(leg.from, leg.to);
      const [from, to] = [endOf(leg, leg.from, leg.to, a), endOf(leg, leg.to, leg.from, b)];
      return { leg, from, to, lanes: [0, 0], channel: 0 };
    });
    this.#placePorts();
    for (const planned of this.#planned) this.#placeLanes(planned);
  }

  #placePorts(): void {
    const edges = new Map<string, End[]>();
    for (const { from, to } of this.#planned) {
      for (const end of [from, to]) {
        const key = `${end.box.key} ${end.edge}`;
        edges.set(key, [...(edges.get(key) ?? []), end]);
      }
    }
    for (const ends of edges.values()) placeEdge(ends);
  }

  #takeLane(node: number, corridor: number): number {
    const key = corridor === WIRE ? 'wire' : `${node} ${corridor}`;
    const lane = this.#lanes.get(key) ?? 0;
    this.#lanes.set(key, lane + 1);
    return lane;
  }

  #placeLanes(planned: Planned): void {
    const { from, to } = planned;
    const lane = this.#isStraight(planned) ? 0 : this.#takeLane(from.box.node, from.corridor);
    if (from.corridor === to.corridor) {
      planned.lanes = [lane, lane];
      return;
    }
    planned.lanes = [lane, this.#takeLane(to.box.node, to.corridor)];
    planned.channel = this.#takeLane(from.box.node, -1);
  }

  #isStraight({ from, to }: Planned): boolean {
    return from.corridor === to.corridor && from.edge !== to.edge && Math.abs(from.x - to.x) < 0.5;
  }

  /** Height that a corridor needs in every node: corridor n lies below row n. */
  corridorHeight(corridor: number): number {
    const counts =
      corridor === WIRE
        ? [this.#lanes.get('wire') ?? 0]
        : this.#frames.map((_, node) => this.#lanes.get(`${node} ${corridor}`) ?? 0);
    const lanes = Math.max(0, ...counts);
    return 2 * LANE_MARGIN + Math.max(0, lanes - 1) * LANE;
  }

  /** The arrows, once the boxes have their places. `tops`: where each corridor begins. */
  arrows(tops: readonly number[]): Arrow[] {
    return this.#planned.map((planned) => {
      const { leg, from, to, lanes } = planned;
      const start = { x: from.x, y: edgeY(from) };
      const end = { x: to.x, y: edgeY(to) };
      const laneY = (corridor: number, lane: number): number => tops[corridor]! + LANE_MARGIN + lane * LANE;
      const middle: Point[] = [];
      if (!this.#isStraight(planned)) {
        const [a, b] = [laneY(from.corridor, lanes[0]), laneY(to.corridor, lanes[1])];
        middle.push({ x: start.x, y: a });
        if (from.corridor !== to.corridor) {
          const x = this.#frames[from.box.node]!.x + NODE_PADDING - 10 - planned.channel * CHANNEL;
          middle.push({ x, y: a }, { x, y: b });
        }
        middle.push({ x: end.x, y: b });
      }
      const label = { x: end.x, y: end.y + (to.edge === 'bottom' ? LABEL_DISTANCE : -LABEL_DISTANCE) };
      return { leg, points: [start, ...middle, end], label };
    });
  }
}

/** Ends of arrows between boxes above each other stand in the middle, in the same columns on both sides, the others beside. */
function placeEdge(ends: readonly End[]): void {
  const { box, edge } = ends[0]!;
  const isAbove = ({ other }: End): boolean => other.x === box.x && other.node === box.node && other.row !== box.row;
  const left = ends.filter((end) => !isAbove(end) && end.other.x < box.x);
  const middle = ends.filter(isAbove);
  const right = ends.filter((end) => !isAbove(end) && end.other.x >= box.x);
  const most = Math.max(left.length, right.length) * 2 + middle.length;
  const spacing = Math.min(PORT, (box.width - 24) / most);
  const centre = box.x + box.width / 2;
  for (const [i, end] of middle.entries()) end.x = centre + (i - (middle.length - 1) / 2) * spacing;
  // Ports of upper and lower edges that face the same corridor must not share a column.
  const first = (middle.length + 1) / 2 + (edge === 'top' ? 0 : 0.25);
  for (const [i, end] of left.entries()) end.x = centre - (first + left.length - 1 - i) * spacing;
  for (const [i, end] of right.entries()) end.x = centre + (first + i) * spacing;
}

function edgeY({ box, edge }: End): number {
  return edge === 'bottom' ? box.y + box.height : box.y;
}
