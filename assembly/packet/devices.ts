/** Network devices as helpers need them: index, MTU, up or down. Filled by the host. */
import { PACKETS, PACKETS_SIZE } from "../memory";

/** The last 4 KiB of the packet buffers: count u32, then 12 bytes per device. */
const TABLE: u32 = PACKETS + PACKETS_SIZE - 0x1000;
const ENTRY: u32 = 12;
const MAX: u32 = 340;

export function clearDevices(): void {
  store<u32>(TABLE, 0);
}

/** Adds a device. More than 340 are ignored. */
export function setDevice(ifindex: u32, mtu: u32, up: bool): void {
  const count = load<u32>(TABLE);
  if (count >= MAX) return;
  const entry = TABLE + 4 + count * ENTRY;
  store<u32>(entry, ifindex);
  store<u32>(entry, mtu, 4);
  store<u32>(entry, up ? 1 : 0, 8);
  store<u32>(TABLE, count + 1);
}

/** Entry of a device, 0 if there is none. */
export function findDevice(ifindex: u32): u32 {
  const count = load<u32>(TABLE);
  for (let i: u32 = 0; i < count; i++) {
    const entry = TABLE + 4 + i * ENTRY;
    if (load<u32>(entry) == ifindex) return entry;
  }
  return 0;
}

export function deviceMtu(entry: u32): u32 {
  return load<u32>(entry, 4);
}

export function deviceIsUp(entry: u32): bool {
  return load<u32>(entry, 8) != 0;
}
