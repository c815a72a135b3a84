import type { CodeRange } from './functions.js';
import { numberedSection } from './sections.js';
import type { MapSpec, ProgramSpec } from './spec.js';

/** BPF_MAP_TYPE_PROG_ARRAY */
const PROG_ARRAY = 3;
/** Slots are 32-bit keys. */
const LAST_SLOT = 0xffff_ffff;

/**
 * The tail-call slots that each program fills by itself, in the order of `programs`: by its numbered section and the id of a
 * legacy prog array (Cilium up to 1.17), by decl tags `tail:<map>/<slot>` on its BTF function (1.18 and later; `tags` in the
 * order of the programs), and by static contents of prog arrays. Slots of prog arrays that the object does not define are
 * left out.
 */
export function slotsOf(
  programs: readonly CodeRange[],
  tags: readonly (readonly string[])[],
  maps: readonly MapSpec[],
): ProgramSpec['slots'][] {
  const arrays = maps.filter((map) => map.type === PROG_ARRAY);
  const byName = new Set(arrays.map((map) => map.name));
  const byId = new Map(arrays.filter((map) => map.legacyId !== 0).map((map) => [map.legacyId, map.name]));
  const byProgram = new Map<string, { map: string; slot: number }[]>();
  for (const map of arrays) {
    for (const { slot, program } of map.values) {
      if (program === undefined) continue;
      const known = byProgram.get(program);
      if (known) known.push({ map: map.name, slot });
      else byProgram.set(program, [{ map: map.name, slot }]);
    }
  }
  const numbered = new Set<number>();
  return programs.map((program, index) => {
    const slots: { map: string; slot: number }[] = [];
    const number = numberedSection(program.section.name);
    const map = number && byId.get(number.mapId);
    // One function per numbered section fills the slot; further ones are its callees.
    if (number && map !== undefined && !numbered.has(program.section.index)) {
      numbered.add(program.section.index);
      slots.push({ map, slot: number.slot });
    }
    for (const tag of tags[index] ?? []) {
      const match = /^tail:(.+)\/(\d{1,10})$/.exec(tag);
      if (match && byName.has(match[1]!) && Number(match[2]) <= LAST_SLOT)
        slots.push({ map: match[1]!, slot: Number(match[2]) });
    }
    // Static contents name a program; of several with one name the first is meant.
    const contents = byProgram.get(program.name) ?? [];
    byProgram.delete(program.name);
    return [...slots, ...contents];
  });
}
