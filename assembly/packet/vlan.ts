/** VLAN tags: the one beside the packet (hardware acceleration) and those in its bytes (kernel skb_vlan_push, skb_vlan_pop). */
import { Errno, Packet } from "../abi";
import { CONTEXTS } from "../memory";
import { error, packet32, setPacket32 } from "../state";
import { checkContext, insertBytes, invalidatePointers, packetData, packetLength, publish, removeBytes } from "./buffer";
import { SKB_PROTOCOL } from "./skb";

const VLAN_PRESENT: u32 = CONTEXTS + 20;
const VLAN_TCI: u32 = CONTEXTS + 24;
const VLAN_PROTO: u32 = CONTEXTS + 28;

/** In network order, as the 16-bit fields hold them. */
const ETH_8021Q: u32 = 0x0081;
const ETH_8021AD: u32 = 0xa888;
const ETH_802_3: u32 = 0x0100;
const ETH_802_2: u32 = 0x0400;
const TAG: u32 = 4;
/** Where a tag stands: behind the two addresses. */
const TAG_OFFSET: u32 = 12;

function isVlan(protocol: u32): bool {
  return protocol == ETH_8021Q || protocol == ETH_8021AD;
}

function setTag(protocol: u32, tci: u32): void {
  store<u32>(VLAN_PRESENT, 1);
  store<u32>(VLAN_PROTO, protocol);
  store<u32>(VLAN_TCI, tci);
}

function clearTag(): void {
  store<u32>(VLAN_PRESENT, 0);
  store<u32>(VLAN_PROTO, 0);
  store<u32>(VLAN_TCI, 0);
}

/** 18: skb_vlan_push(skb, protocol, tci). */
export function skbVlanPush(context: u64, protocol: u64, tci: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const asked = <u32>protocol & 0xffff;
  const wanted = isVlan(asked) ? asked : ETH_8021Q;
  if (load<u32>(VLAN_PRESENT)) {
    const outer = load<u32>(VLAN_PROTO);
    insertBytes(TAG_OFFSET, TAG);
    const at = packetData() + TAG_OFFSET;
    store<u16>(at, <u16>outer);
    store<u16>(at + 2, bswap<u16>(<u16>load<u32>(VLAN_TCI)));
    store<u32>(SKB_PROTOCOL, outer);
  }
  setTag(wanted, <u32>tci & 0xffff);
  publish();
  return 0;
}

/** Protocol of a frame whose tag is gone: its EtherType, or which kind of 802.3 frame it is. */
function innerProtocol(at: u32): u32 {
  const type = <u32>load<u16>(at);
  if (bswap<u16>(<u16>type) >= 0x600) return type;
  return <u32>load<u16>(at + 2) == 0xffff ? ETH_802_3 : ETH_802_2;
}

/** Takes a tag out of the bytes. Returns its TCI, or -errno. */
function removeTag(): i32 {
  if (packetLength() < 14 + TAG) return -Errno.ENOMEM;
  const tci = <i32>bswap<u16>(load<u16>(packetData() + TAG_OFFSET + 2));
  removeBytes(TAG_OFFSET, TAG);
  store<u32>(SKB_PROTOCOL, innerProtocol(packetData() + TAG_OFFSET));
  if (<i32>packet32(Packet.NETWORK_OFFSET) < 14) setPacket32(Packet.NETWORK_OFFSET, 14);
  return tci;
}

/** 19: skb_vlan_pop(skb). */
export function skbVlanPop(context: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const result = pop();
  publish();
  return result;
}

function pop(): u64 {
  if (load<u32>(VLAN_PRESENT)) clearTag();
  else {
    if (!isVlan(load<u32>(SKB_PROTOCOL))) return 0;
    const tci = removeTag();
    if (tci < 0) return error(<Errno>-tci);
  }
  const next = load<u32>(SKB_PROTOCOL);
  if (!isVlan(next)) return 0;
  const tci = removeTag();
  if (tci < 0) return error(<Errno>-tci);
  setTag(next, <u32>tci);
  return 0;
}
