import { describe, expect, it } from 'vitest';
import { DuoguardError } from '../../src/errors.ts';
import { createLogger, describeError } from '../../src/telemetry/logger.ts';

describe('createLogger', () => {
  it('writes one JSON line with level and time by name, and nothing about the host', () => {
    const lines: string[] = [];
    createLogger('info', { write: (line) => lines.push(line) }).info({ port: 1 }, 'listening');
    const line = JSON.parse(lines[0] as string);
    expect(Object.keys(line)).toEqual(['level', 'time', 'port', 'msg']);
    expect(line).toMatchObject({ level: 'info', port: 1, msg: 'listening' });
    expect(new Date(line.time).toISOString()).toBe(line.time);
  });
});

describe('describeError', () => {
  it('drops the message of an unforeseen error, whatever it looks like', () => {
    let thrown: unknown;
    try {
      JSON.parse('planted');
    } catch (error) {
      thrown = error;
    }
    expect((thrown as Error).message).toContain('planted');
    expect(JSON.stringify(describeError(thrown))).not.toContain('planted');

    const disguised = describeError(new Error('x\n    at planted (frame)'));
    expect(JSON.stringify(disguised)).not.toContain('planted');
    expect(disguised['frames']).not.toHaveLength(0);
  });

  it('keeps what the catalogue or the system says, and the causes', () => {
    const cause = Object.assign(new Error('listen EADDRINUSE: address already in use'), {
      code: 'EADDRINUSE',
      syscall: 'listen',
    });
    expect(describeError(new DuoguardError('checkpoint_file_missing', { message: 'model.onnx', cause }))).toMatchObject(
      {
        name: 'DuoguardError',
        code: 'checkpoint_file_missing',
        message: 'model.onnx',
        cause: { code: 'EADDRINUSE', message: 'listen EADDRINUSE: address already in use' },
      },
    );
  });

  it('says of a thrown value only its type', () => {
    expect(describeError('planted')).toEqual({ name: 'string' });
  });
});
