import { Command } from 'commander';
import { UsageError } from '../errors.js';
import { runBytecode } from '../machine/bytecode.js';
import { formatFault, formatFaultLong } from '../machine/fault.js';
import { readText } from './files.js';
import { EXIT } from './main.js';

/** Hex digits to bytes; blanks, newlines and 0x prefixes are allowed. */
export function bytesOfHex(text: string, what: string): Uint8Array {
  const digits = text.replace(/0x/gi, '').replace(/\s+/g, '');
  const bad = digits.search(/[^0-9a-fA-F]/);
  if (bad >= 0) throw new UsageError(`${what}: '${digits[bad]}' is no hex digit`);
  if (digits.length % 2) throw new UsageError(`${what}: an odd number of hex digits (${digits.length})`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const EXAMPLE = `
Example:
  $ echo 'b7 00 00 00 2a 00 00 00  95 00 00 00 00 00 00 00' | offkernel exec
  2a`;

/** Raw bytecode, the plugin protocol of BPF conformance suites. */
export function execCommand(done: (code: number) => void): Command {
  return new Command('exec')
    .description('run raw bytecode (hex on stdin) and print r0 in hex; r1 = address of the memory, r2 = its length')
    .argument('[memory]', 'memory as hex')
    .option('--program <hex>', 'the program as hex instead of stdin')
    .option('--engine <name>', 'interpreter', 'interpreter')
    .option('--budget <n>', 'instruction budget', '100000000')
    .option('-v, --verbose', 'long form of a fault')
    .addHelpText('after', EXAMPLE)
    .action(
      (
        memory: string | undefined,
        options: { program?: string; engine: string; budget: string; verbose?: boolean },
      ) => {
        if (options.engine !== 'interpreter')
          throw new UsageError(`no engine ${options.engine}; there is: interpreter`);
        if (!/^\d+$/.test(options.budget)) throw new UsageError(`--budget takes a number, not '${options.budget}'`);
        const program = bytesOfHex(options.program ?? readText('-'), 'program');
        if (!program.length || program.length % 8)
          throw new UsageError(`the program has ${program.length} bytes; instructions are 8 bytes each`);
        const result = runBytecode(program, {
          memory: memory === undefined ? undefined : bytesOfHex(memory, 'memory'),
          budget: BigInt(options.budget),
        });
        if (result.fault) {
          process.stderr.write(
            `offkernel: ${options.verbose ? formatFaultLong(result.fault) : formatFault(result.fault)}\n`,
          );
          done(EXIT.usage);
          return;
        }
        process.stdout.write(`${result.r0.toString(16)}\n`);
        done(EXIT.ok);
      },
    );
}
