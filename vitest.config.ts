import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // The machine that CI uses has two cores and the tests start worker threads of their own.
    maxWorkers: 2,
    // onnxruntime-node is a native addon with process-wide state: one process per test file keeps them apart.
    pool: 'forks',
  },
});
