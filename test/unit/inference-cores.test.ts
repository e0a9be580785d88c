import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { availableCores } from '../../src/inference/cores.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cores-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function plant(files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

test('without any cgroup the scheduler decides', () => {
  expect(availableCores(root, 8)).toBe(8);
});

test.each([
  ['200000 100000\n', 2],
  ['250000 100000\n', 2],
  ['50000 100000\n', 1],
  ['max 100000\n', 64],
])('version 2: cpu.max %j on 64 cores gives %i', (content, cores) => {
  plant({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': content });
  expect(availableCores(root, 64)).toBe(cores);
});

test('version 2: the smallest limit of the group and its ancestors binds', () => {
  plant({
    'proc/self/cgroup': '0::/pods/one\n',
    'sys/fs/cgroup/pods/cpu.max': '300000 100000\n',
    'sys/fs/cgroup/pods/one/cpu.max': '800000 100000\n',
  });
  expect(availableCores(root, 64)).toBe(3);
});

test('version 2: a cpuset list is counted', () => {
  plant({ 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpuset.cpus.effective': '0-2,8,10-11\n' });
  expect(availableCores(root, 64)).toBe(6);
});

test('version 1: quota over period', () => {
  plant({
    'proc/self/cgroup': '4:cpu,cpuacct:/docker/abc\n0::/\n',
    'sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us': '400000\n',
    'sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us': '100000\n',
  });
  expect(availableCores(root, 64)).toBe(4);
});

test('version 1: -1 is no limit, and a cpuset is counted', () => {
  plant({
    'proc/self/cgroup': '4:cpu:/\n3:cpuset:/\n',
    'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
    'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    'sys/fs/cgroup/cpuset/cpuset.cpus': '4,6\n',
  });
  expect(availableCores(root, 64)).toBe(2);
});

test('inside a container that shows the host path, the files at the mount bind', () => {
  plant({
    'proc/self/cgroup': '4:cpu:/kubepods/pod1/abc\n',
    'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '200000\n',
    'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  });
  expect(availableCores(root, 64)).toBe(2);
});

test('nonsense is no limit', () => {
  plant({
    'proc/self/cgroup': 'x\n0::/\n',
    'sys/fs/cgroup/cpu.max': 'what\n',
    'sys/fs/cgroup/cpuset.cpus.effective': '\n',
  });
  expect(availableCores(root, 3)).toBe(3);
});
