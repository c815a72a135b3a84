import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The kernel comparisons load programs one file at a time; two cores are what CI has.
    maxWorkers: 2,
    // Each comparison starts bpftool; a busy machine takes long.
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
});
