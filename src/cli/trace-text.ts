import type { TraceSink, TraceStep } from '../machine/trace.js';
import { bold, cyan, dim, green } from './format.js';

/** Prints a run step by step: C source lines, and under each the instructions with what they changed. */
export class TracePrinter {
  #function = '';

  readonly sink: TraceSink = (step) => this.#print(step);

  #print(step: TraceStep): void {
    const indent = '  '.repeat(step.depth + 1);
    const lines: string[] = [];
    if (step.function !== this.#function) {
      this.#function = step.function;
      lines.push(bold(`${'  '.repeat(step.depth)}${step.function}:`));
    }
    if (step.line)
      lines.push(
        `${indent}${cyan(`${step.line.file}:${step.line.line}`)}${step.line.text ? `  ${step.line.text.trim()}` : ''}`,
      );
    const changes = step.changes.map(({ register, value }) => `r${register}=0x${value.toString(16)}`).join(' ');
    lines.push(
      `${indent}${String(step.instruction).padStart(5)}: ${step.text.padEnd(44)}${changes ? dim(changes) : ''}`.trimEnd(),
    );
    if (step.call) lines.push(`${indent}       ${green(step.call)}`);
    if (step.tailCall) {
      lines.push(bold(`tail call -> ${step.tailCall}`));
      this.#function = '';
    }
    process.stdout.write(`${lines.join('\n')}\n`);
  }
}
