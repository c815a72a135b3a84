import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

function newest(folder: string): number {
  return Math.max(
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  );
}

let isChecked = false;

/** Commands run as users get them, from dist/: an old build would test old code. */
function requireBuild(): void {
  if (isChecked) return;
  const built = statSync(join(ROOT, 'dist/src/cli/main.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (newest(join(ROOT, 'src')) > built) throw new Error('dist/ is older than src/: run `npm run build` first');
  isChecked = true;
}

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** `node bin/offkernel.js ARGS...` as a child process. */
export function offkernel(
  args: readonly string[],
  options: { input?: string; cwd?: string; env?: Record<string, string> } = {},
): CommandResult {
  requireBuild();
  const result = spawnSync(process.execPath, [join(ROOT, 'bin/offkernel.js'), ...args], {
    encoding: 'utf8',
    input: options.input ?? '',
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, ...options.env },
    maxBuffer: 256 * 2 ** 20,
    timeout: 60_000,
  });
  if (result.error) throw result.error;
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** Runs `use` with the path of an empty folder that is removed afterwards. */
export function inTemporaryFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'offkernel-test-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
