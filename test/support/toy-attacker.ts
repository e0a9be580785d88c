/** The toy generator as a module for `--generator`. */
export { createToyGenerator as createGenerator, rateToy as rateFidelity } from './toy-game.ts';
