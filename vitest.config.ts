import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Examples import the client as its users do; here it needs no build.
  resolve: { alias: { 'duoguard/client': fileURLToPath(new URL('src/client.ts', import.meta.url)) } },
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
