import fc from 'fast-check';
import { expect, it } from 'vitest';
import { warmupCosine } from '../../training/optimizers/schedule.ts';

it('the rate never leaves [0, peak], whatever share of a step the warm-up ends with', () => {
  const schedule = fc.record({
    peak: fc.double({ min: 1e-6, max: 10, noNaN: true }),
    warmup: fc.double({ min: 0, max: 30, noNaN: true }),
    total: fc.integer({ min: 1, max: 40 }),
    floor: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(schedule, fc.nat(60), (settings, step) => {
      const rate = warmupCosine(step, settings);
      expect(rate).toBeGreaterThanOrEqual(0);
      expect(rate).toBeLessThanOrEqual(settings.peak * (1 + 1e-12));
    }),
  );
});
