import { expect, test } from 'vitest';
import { HELPERS } from '../../src/helpers/table.js';
import { bytecodeSpec } from '../../src/machine/bytecode.js';
import { Machine } from '../../src/machine/machine.js';
import { code, exit, helper, move } from '../support/code.js';

/** An address outside memory, whichever way it is looked at. */
const NOWHERE = -25;

// Bulk memory instructions trap on addresses outside memory even when there is nothing to copy.
test.each(['sched_cls', 'xdp', 'cgroup_sock_addr'])('%s: every helper takes any address with length 0', (type) => {
  for (const { id, name, args } of HELPERS) {
    const setUp = args.flatMap((kind, i) =>
      kind === 'ctx' ? [] : [move(i + 1, kind === 'size' || kind === 'flags' || kind === 'u32' ? 0 : NOWHERE)],
    );
    const machine = Machine.create({ budget: 100_000n });
    const program = machine.load(bytecodeSpec(code(...setUp, helper(id), exit()), type)).programs[0]!;
    const { fault } = program.run();
    machine.dispose();
    expect(fault?.kind, `${name} (${id}): ${fault?.detail}`).not.toBe('host');
  }
});
