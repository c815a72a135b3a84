/** Rights on value memory and copies of keys and values. */
import { MapField } from "../abi";
import { permit, permitWriteOnly } from "../check";
import { mapField, programRights } from "./descriptor";

/** Lets programs reach one value of `map` at `address`, as the map's flags say. */
export function permitValue(map: u32, address: u32): void {
  const size = mapField(map, MapField.VALUE_SIZE);
  const rights = programRights(map);
  if (rights == 2) permitWriteOnly(address, size);
  else permit(address, size, rights == 3);
}

// @ts-ignore: decorator
@inline
export function equalBytes(a: u32, b: u32, length: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  if (length & 4) {
    if (load<u32>(a + i) != load<u32>(b + i)) return false;
    i += 4;
  }
  if (length & 2) {
    if (load<u16>(a + i) != load<u16>(b + i)) return false;
    i += 2;
  }
  return !(length & 1) || load<u8>(a + i) == load<u8>(b + i);
}
