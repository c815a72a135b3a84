import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** All `.o` files below a folder, sorted; none if it does not exist. */
export function objectFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.o'))
    .map((name) => join(folder, name))
    .sort();
}

/** Objects that the distribution's xdp-tools and libxdp packages install. */
export function systemObjects(): string[] {
  return readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => objectFiles(join('/usr/lib', entry.name, 'bpf')));
}
