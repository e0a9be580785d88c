import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Cores this process may really use: the smallest of the scheduler's affinity, the cgroup's cpuset and its CPU quota.
 * In a container with 2 CPUs on a host with 64 cores the host's number would start 64 workers that throttle each other.
 * A quota of 1.5 counts as 1: the HTTP thread needs the rest.
 *
 * `root` is prefixed to /proc and /sys, for tests.
 */
export function availableCores(root = '/', schedulerCores = availableParallelism()): number {
  const limits = memberships(root).flatMap((group) => [cpusetSize(root, group), cpuQuota(root, group)]);
  return Math.max(1, Math.floor(Math.min(schedulerCores, ...limits)));
}

/**
 * Inference workers that a server starts by itself: all cores but one, which is left to the HTTP thread. On two cores
 * with the shipped model a second worker raised neither throughput nor latency; it only kept HTTP waiting.
 */
export function defaultWorkers(cores = availableCores()): number {
  return Math.max(1, cores - 1);
}

/** One line of /proc/self/cgroup. Version 2 has one line `0::/path`; version 1 has one per controller list. */
interface Membership {
  readonly controllers: readonly string[];
  readonly path: string;
}

function memberships(root: string): Membership[] {
  const lines = readText(join(root, 'proc/self/cgroup'))?.split('\n') ?? [];
  return lines.flatMap((line) => {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    return match ? [{ controllers: (match[1] as string).split(',').filter(Boolean), path: match[2] as string }] : [];
  });
}

const isVersion2 = (group: Membership) => group.controllers.length === 0;

function cpuQuota(root: string, group: Membership): number {
  if (isVersion2(group)) {
    return smallestUpwards(join(root, 'sys/fs/cgroup'), group.path, (directory) => {
      const [quota, period] = readText(join(directory, 'cpu.max'))?.trim().split(/\s+/) ?? [];
      return quotaToCores(Number(quota), Number(period));
    });
  }
  if (!group.controllers.includes('cpu')) return Number.POSITIVE_INFINITY;
  const mounts = ['cpu', 'cpu,cpuacct'].map((name) =>
    smallestUpwards(join(root, 'sys/fs/cgroup', name), group.path, (directory) =>
      quotaToCores(
        Number(readText(join(directory, 'cpu.cfs_quota_us')) ?? Number.NaN),
        Number(readText(join(directory, 'cpu.cfs_period_us')) ?? Number.NaN),
      ),
    ),
  );
  return Math.min(...mounts);
}

function cpusetSize(root: string, group: Membership): number {
  if (isVersion2(group)) {
    return smallestUpwards(join(root, 'sys/fs/cgroup'), group.path, (directory) =>
      listSize(readText(join(directory, 'cpuset.cpus.effective'))),
    );
  }
  if (!group.controllers.includes('cpuset')) return Number.POSITIVE_INFINITY;
  return smallestUpwards(join(root, 'sys/fs/cgroup/cpuset'), group.path, (directory) =>
    listSize(readText(join(directory, 'cpuset.effective_cpus')) ?? readText(join(directory, 'cpuset.cpus'))),
  );
}

/**
 * A limit of any ancestor binds too. Inside a container without a cgroup namespace the path is the host's and does not
 * exist under the mount; walking up to the mount's root finds the container's own files there.
 */
function smallestUpwards(mount: string, path: string, limit: (directory: string) => number): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (let current = path; ; current = dirname(current)) {
    smallest = Math.min(smallest, limit(join(mount, current)));
    if (current === '/') return smallest;
  }
}

/** "max", -1, a missing file or nonsense mean no limit. */
function quotaToCores(quota: number, period: number): number {
  return quota > 0 && period > 0 ? quota / period : Number.POSITIVE_INFINITY;
}

/** Size of a list such as "0-3,8"; empty or missing means no limit. */
function listSize(list: string | undefined): number {
  const ranges = list?.trim().split(',').filter(Boolean) ?? [];
  let size = 0;
  for (const range of ranges) {
    const [first, last] = range.split('-').map(Number) as [number, number | undefined];
    size += (last ?? first) - first + 1;
  }
  return size > 0 ? size : Number.POSITIVE_INFINITY;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
