// Entry of a worker thread when the server runs from its TypeScript sources (development, tests, training): Node 20 does
// not hand the main thread's loader on. The compiled server starts worker.js itself and never sees tsx.
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');
