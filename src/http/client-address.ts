import { isIPv6 } from 'node:net';
import type { ReceivedHeaders } from './received.ts';

/**
 * Whom a request is counted for. Each proxy adds the address it was called from at the end of `x-forwarded-for`; what is
 * before the entries of the trusted ones was written by whoever wanted to.
 *
 * @param connected the address at the other end of the connection.
 * @param trustedProxies how many proxies stand before the server.
 * @returns an IPv4 address, or the first 64 bits of an IPv6 one: a household has at least that many addresses.
 */
export function clientAddress(connected: string | undefined, headers: ReceivedHeaders, trustedProxies: number): string {
  const hops = trustedProxies === 0 ? [] : (headers.get('x-forwarded-for') ?? '').split(',');
  const forwarded = hops.at(-trustedProxies) ?? hops[0];
  return toNetwork(forwarded?.trim() || connected || 'unknown');
}

function toNetwork(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!isIPv6(address)) return address.slice(0, 64);
  const [head = '', tail] = (address.split('%')[0] as string).toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const last = tail === '' ? [] : tail.split(':');
    // A dotted quad at the end stands for two groups.
    const width = last.length + (tail.includes('.') ? 1 : 0);
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - width)).fill('0'), ...last);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
