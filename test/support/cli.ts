import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Folder of the checkout, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Path of one of our compiled objects. */
export function ownObject(name: string): string {
  return `${ROOT}bpf-objects/${name}.o`;
}

/** Runs the built command line as a user does. */
export function offkernel(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [`${ROOT}bin/offkernel.js`, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return { code: status, stdout, stderr };
}
