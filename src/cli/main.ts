import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { OffkernelError } from '../errors.js';
import { execCommand } from './exec.js';
import { inspectCommand } from './inspect.js';
import { runCommand } from './run.js';
import { testCommand } from './test.js';
import { walkCommand } from './walk.js';

/** Exit codes of every command: 0 = did what was asked, 1 = the thing checked failed, 2 = bad usage or input. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

function version(): string {
  // dist/src/cli/main.js lies three levels below package.json.
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

/** Runs the command line; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  const program = new Command('offkernel')
    .description('Run compiled BPF programs outside the kernel: no root, no Linux, no cluster.')
    .version(version())
    .showHelpAfterError('(--help shows usage and an example)')
    .showSuggestionAfterError()
    .exitOverride();
  const done = (result: number): void => {
    code = result;
  };
  for (const command of [inspectCommand, runCommand, testCommand, walkCommand, execCommand]) {
    const built = command(done);
    built.exitOverride();
    program.addCommand(built);
  }
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof OffkernelError) {
      process.stderr.write(`offkernel: ${error.message}\n`);
      return EXIT.usage;
    }
    throw error;
  }
}

// A reader that goes away (`| head`) ends the output, not the command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});
