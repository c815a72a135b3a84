import type { Outcome } from '../machine/outcome.js';
import type { TunnelMetadata } from '../machine/tunnel.js';
import type { HookPoint } from './hooks.js';
import type { Route } from './routes.js';
import type { Rule } from './rules.js';
import type { SkbFields } from './skb.js';

/** Where something happens; `device` is missing where no device has a part in it. */
export interface Place {
  readonly host: string;
  readonly namespace: string;
  readonly device?: string;
}

/** Why a packet ended. */
export type DropReason =
  | 'hook verdict'
  | 'program fault'
  | 'redirect failed'
  | 'device down'
  | 'not for this host'
  | 'bad packet'
  | 'unknown protocol'
  | 'no route'
  | 'refused by route'
  | 'forwarding disabled'
  | 'reverse path'
  | 'martian address'
  | 'ttl expired'
  | 'mtu exceeded'
  | 'neighbour unresolved'
  | 'no tunnel key'
  | 'no tunnel device'
  | 'port unreachable'
  | 'protocol unreachable'
  | 'unexpected segment'
  | 'no receiver'
  | 'lost on the wire'
  | 'forwarding loop';

/** What happened, by kind. */
export type Step =
  /** An application, the stack or a test made the packet. `answers`: the packet that caused it. */
  | { readonly kind: 'send'; readonly by: string; readonly answers?: number }
  | {
      readonly kind: 'hook';
      readonly hook: HookPoint;
      readonly name: string;
      /** In the terms of the hook: TC_ACT_OK, XDP_PASS ... */
      readonly verdict: string;
      /** Of a program, with its tail calls, events and changes of maps. */
      readonly outcome: Outcome | undefined;
      readonly before: SkbFields & { readonly bytes: Uint8Array };
      readonly after: SkbFields & { readonly bytes: Uint8Array };
    }
  /** A cgroup hook on a socket address; no packet exists yet. */
  | {
      readonly kind: 'socket';
      readonly hook: string;
      readonly name: string;
      readonly allowed: boolean;
      readonly outcome: Outcome | undefined;
      readonly before: { readonly address: Uint8Array; readonly port: number };
      readonly after: { readonly address: Uint8Array; readonly port: number };
    }
  | {
      readonly kind: 'redirect';
      readonly how: 'ingress' | 'egress' | 'peer' | 'neighbour' | 'clone';
      readonly to: string;
    }
  | {
      readonly kind: 'route';
      readonly purpose: 'input' | 'output' | 'tunnel' | 'redirect';
      readonly destination: Uint8Array;
      readonly mark: number;
      readonly rule: Rule;
      readonly route: Route | undefined;
    }
  | {
      readonly kind: 'neighbour';
      readonly address: Uint8Array;
      readonly mac: Uint8Array | undefined;
      readonly state: 'resolved' | 'solicit' | 'failed';
    }
  | { readonly kind: 'transmit'; readonly fields: SkbFields }
  | { readonly kind: 'receive'; readonly fields: SkbFields }
  | { readonly kind: 'encapsulate' | 'decapsulate'; readonly tunnel: TunnelMetadata; readonly protocol: string }
  | { readonly kind: 'forward'; readonly to: string; readonly ttl: number }
  | { readonly kind: 'fragment'; readonly pieces: number; readonly mtu: number }
  | { readonly kind: 'deliver'; readonly to: string }
  | { readonly kind: 'consume'; readonly by: string }
  | {
      readonly kind: 'wire';
      readonly wire: string;
      readonly to: Place;
      /** Nanoseconds. */
      readonly latency: bigint;
      readonly reordered: boolean;
    }
  /** The stack answers with an ICMP error, which is packet `answer`. */
  | { readonly kind: 'icmp'; readonly type: number; readonly code: number; readonly answer: number }
  | { readonly kind: 'drop'; readonly reason: DropReason; readonly detail: string };

export interface JournalEntry {
  /** Nanoseconds of the network's clock. */
  readonly time: bigint;
  /** Packet number from 1 on; 0 for what concerns no packet. */
  readonly packet: number;
  readonly at: Place;
  readonly step: Step;
  /** The frame at that moment. */
  readonly bytes: Uint8Array;
}

/** All that happened, in order. */
export class Journal {
  readonly entries: JournalEntry[] = [];

  add(entry: JournalEntry): void {
    this.entries.push(entry);
  }

  /** The way of one packet. */
  of(packet: number): JournalEntry[] {
    return this.entries.filter((entry) => entry.packet === packet);
  }

  /** Packet numbers in the order of their first step. */
  packets(): number[] {
    return [...new Set(this.entries.map((entry) => entry.packet))].filter((packet) => packet > 0);
  }

  drops(): (JournalEntry & { readonly step: Extract<Step, { kind: 'drop' }> })[] {
    return this.entries.filter(
      (entry): entry is JournalEntry & { step: Extract<Step, { kind: 'drop' }> } => entry.step.kind === 'drop',
    );
  }
}
