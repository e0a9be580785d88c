import { join } from 'node:path';
import { playGame } from '../../training/game/play-game.ts';
import { createToyGenerator, rateToy, toyConfig } from './toy-game.ts';

/** `data directory stage resume`: plays the toy game and dies by SIGKILL in round 1, when `stage` writes its first file. */
const [data, directory, stage, resume] = process.argv.slice(2) as [string, string, string, string];

let reached = false;
playGame({
  config: toyConfig(data),
  runDirectory: join(directory, 'run'),
  resume: resume === 'true',
  generator: createToyGenerator(),
  rate: rateToy,
  observer: {
    log: () => {},
    stageBegan: (round, name) => {
      reached = round === 1 && name === stage;
    },
    progress: () => {},
    stageEnded: () => {},
    roundEnded: () => {},
  },
  modelsDirectory: join(directory, 'models'),
  id: 'toy',
  activate: false,
  disk: {
    save(path, write) {
      // Half of the file is there, under the name it has before it is whole.
      if (reached) {
        write(`${path}.next`);
        process.kill(process.pid, 'SIGKILL');
      }
      write(path);
    },
  },
}).catch((error: unknown) => {
  process.stderr.write(`${error}\n`);
  process.exitCode = 1;
});
