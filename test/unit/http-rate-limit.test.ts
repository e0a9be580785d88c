import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clientAddress } from '../../src/http/client-address.ts';
import { createRateLimiter } from '../../src/http/rate-limit.ts';

describe('a rate limiter', () => {
  it('allows the limit at once, then one more for each share of a minute', () => {
    const limiter = createRateLimiter(6);
    const burst = Array.from({ length: 7 }, () => limiter.take('a', 1000));
    expect(burst.map(({ allowed }) => allowed)).toEqual([true, true, true, true, true, true, false]);
    expect(burst.map(({ remaining }) => remaining)).toEqual([5, 4, 3, 2, 1, 0, 0]);
    expect(burst.at(-1)).toMatchObject({ limit: 6, resetSeconds: 60, retryAfterSeconds: 10 });
    expect(limiter.take('a', 10_999).allowed).toBe(false);
    expect(limiter.take('a', 11_000).allowed).toBe(true);
    expect(limiter.take('a', 11_000).allowed).toBe(false);
  });

  it('keeps clients apart and forgets after a minute', () => {
    const limiter = createRateLimiter(1);
    expect(limiter.take('a', 0)).toMatchObject({ allowed: true, remaining: 0 });
    expect(limiter.take('b', 0).allowed).toBe(true);
    expect(limiter.take('a', 59_999).allowed).toBe(false);
    expect(limiter.take('a', 60_000).allowed).toBe(true);
  });

  it('never allows more than twice the limit in any minute, and always what it promised', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 300 }),
        (limit, pauses) => {
          const limiter = createRateLimiter(limit);
          const allowed: number[] = [];
          let now = 0;
          let promised: number | undefined;
          for (const pause of pauses) {
            now += pause;
            const rate = limiter.take('a', now);
            if (promised !== undefined && now > promised + 0.001) expect(rate.allowed).toBe(true);
            if (rate.allowed) allowed.push(now);
            expect(rate.remaining).toBeGreaterThanOrEqual(0);
            expect(rate.remaining).toBeLessThan(limit);
            promised = now + rate.retryAfterSeconds * 1000;
          }
          for (const start of allowed) {
            expect(allowed.filter((time) => time >= start && time < start + 60_000).length).toBeLessThanOrEqual(
              2 * limit,
            );
          }
        },
      ),
    );
  });
});

describe('the address that a request counts for', () => {
  const forwarded = (value: string) => new Headers({ 'x-forwarded-for': value });

  it.each([
    ['the connection', '10.0.0.1', '', 0, '10.0.0.1'],
    ['a header nobody trusts', '10.0.0.1', '1.1.1.1', 0, '10.0.0.1'],
    ['one proxy: what it wrote, at the end', '10.0.0.1', '6.6.6.6, 2.2.2.2', 1, '2.2.2.2'],
    ['two proxies', '10.0.0.1', '6.6.6.6, 3.3.3.3, 2.2.2.2', 2, '3.3.3.3'],
    ['fewer entries than proxies', '10.0.0.1', '2.2.2.2', 3, '2.2.2.2'],
    ['no header although there is a proxy', '10.0.0.1', '', 1, '10.0.0.1'],
    ['IPv4 in IPv6', '::ffff:10.0.0.1', '', 0, '10.0.0.1'],
    ['the network of an IPv6 address', '2001:db8:1:2:3:4:5:6', '', 0, '2001:db8:1:2::/64'],
    ['a shortened one', '2001:DB8::1', '', 0, '2001:db8:0:0::/64'],
    ['with a zone', 'fe80::1%eth0', '', 0, 'fe80:0:0:0::/64'],
    ['the loopback', '::1', '', 0, '0:0:0:0::/64'],
    ['leading zeros', '2001:0db8:0001:0002::', '', 0, '2001:db8:1:2::/64'],
    ['no connection', undefined, '', 0, 'unknown'],
  ])('%s', (_, connected, header, proxies, expected) => {
    expect(clientAddress(connected, header === '' ? new Headers() : forwarded(header), proxies)).toBe(expected);
  });
});
