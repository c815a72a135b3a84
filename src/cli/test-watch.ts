import { watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { UsageError } from '../errors.js';

/** A compiler writes a file in several steps; they count as one change. */
const QUIET_MS = 200;

/**
 * Runs `first`, then calls `changed` with the files that were written since, once writing has paused, and again and again until
 * `signal` is aborted. Watches from before `first` on, so that no change is missed, and watches folders, since compilers replace
 * files. Throws UsageError for a folder that cannot be watched, and what `first` throws.
 */
export function watchFiles(
  files: readonly string[],
  first: () => Promise<void>,
  changed: (files: string[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const pending = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void>;
  const settle = (): void => {
    const now = files.filter((file) => pending.delete(file));
    if (now.length) running = running.then(() => changed(now));
  };
  const folders = new Map<string, string[]>();
  for (const file of files) {
    const folder = dirname(resolve(file));
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  for (const [folder, inside] of folders) {
    const note = (_event: string, name: string | null): void => {
      for (const file of inside) if (name === null || basename(file) === name) pending.add(file);
      clearTimeout(timer);
      timer = setTimeout(settle, QUIET_MS);
    };
    try {
      watch(folder, { signal }, note);
    } catch (error) {
      throw new UsageError(`cannot watch ${folder}: ${(error as NodeJS.ErrnoException).code ?? error}`);
    }
  }
  running = first();
  return new Promise((done, fail) => {
    running.catch(fail);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      running.then(done, fail);
    });
  });
}
