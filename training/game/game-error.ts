/** What a game cannot go on with. The message names the file, line or setting; the run can be resumed once it is mended. */
export class GameError extends Error {
  override readonly name = 'GameError';
}
