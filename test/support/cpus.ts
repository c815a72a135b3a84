import { readFileSync } from 'node:fs';

/** Possible CPUs of this machine's kernel (`0-3,8`): what per-CPU maps have values for. */
export function possibleCpus(): number {
  const text = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim();
  return Number(text.split(/[,-]/).at(-1)) + 1;
}
