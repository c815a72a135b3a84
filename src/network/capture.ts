import { parsePacket } from '../packet/parse.js';
import { writePcap } from '../packet/pcap.js';
import { FlowNumbers, tcpdumpLine } from '../packet/tcpdump.js';
import type { Skb } from './skb.js';

/** A frame as `tcpdump -i DEVICE` sees it: before tc ingress, after tc egress. */
export interface CapturedFrame {
  /** Nanoseconds of the network's clock. */
  readonly time: bigint;
  readonly direction: 'in' | 'out';
  /** Packet number in the journal. */
  readonly packet: number;
  readonly bytes: Uint8Array;
}

const SECOND = 1_000_000_000n;

/** What passed a device. */
export class DeviceCapture {
  readonly frames: CapturedFrame[] = [];

  add(direction: 'in' | 'out', skb: Skb, time: bigint): void {
    this.frames.push({ time, direction, packet: skb.id, bytes: skb.wireBytes.slice() });
  }

  /** A pcap file; `epoch` is the wall clock, in ns since 1970, when the network's clock was 0. */
  pcap(epoch = 0n): Uint8Array {
    return writePcap(
      this.frames.map(({ time, bytes }) => ({
        seconds: Number((time + epoch) / SECOND),
        nanoseconds: Number((time + epoch) % SECOND),
        data: bytes,
      })),
      { nanoseconds: true },
    );
  }

  /** Lines as `tcpdump -n -t` prints them, sequence numbers relative. */
  text(options: { absolute?: boolean } = {}): string[] {
    const flows = options.absolute ? undefined : new FlowNumbers();
    return this.frames.map((frame) => tcpdumpLine(parsePacket(frame.bytes), flows));
  }
}
