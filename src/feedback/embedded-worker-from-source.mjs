// As src/inference/worker-from-source.mjs: Node 20 does not hand the loader of the main thread on.
import { register } from 'tsx/esm/api';

register();
await import('./embedded-worker.ts');
