// Entry of a thread when the server runs from its TypeScript sources (development, tests, training): Node 20 does not
// hand the main thread's loader on. The compiled server starts the entry itself and never sees tsx. The one argument is
// the URL of the entry.
import { register } from 'tsx/esm/api';

register();
await import(process.argv[2]);
