import { describe, expect, test } from 'vitest';
import { isSocketWords, socketContext } from '../../src/cli/socket-words.js';
import { contextFor } from '../../src/contexts/context.js';
import { offkernel, ownObject } from '../support/cli.js';

describe('sockets in words', () => {
  test.each([
    [
      'tcp 10.0.0.1:80',
      'cgroup_sock_addr',
      'cgroup_inet4_connect',
      { user_family: 2, family: 2, type: 1, protocol: 6, user_ip4: '10.0.0.1', user_port: 80 },
    ],
    [
      'udp [fd00::1]:53',
      'cgroup_sock_addr',
      'cgroup_udp6_sendmsg',
      { user_family: 10, family: 10, type: 2, protocol: 17, user_ip6: 'fd00::1', user_port: 53 },
    ],
    [
      'TCP 10.0.0.1:22',
      'cgroup_sock',
      'cgroup_inet4_post_bind',
      { family: 2, type: 1, protocol: 6, src_ip4: '10.0.0.1', src_port: 22 },
    ],
  ])('%s for %s', (words, type, attachType, fields) => {
    expect(isSocketWords(words)).toBe(true);
    expect(socketContext(words, contextFor(type, attachType))).toEqual(fields);
  });

  test.each([
    ['tcp 10.0.0.1', 'cgroup_inet4_connect', /takes a socket as/],
    ['tcp 10.0.0.1:65536', 'cgroup_inet4_connect', /takes a socket as/],
    ['tcp fd00::1:80', 'cgroup_inet6_connect', /takes a socket as/],
    ['tcp [::1]:80', 'cgroup_inet4_connect', /without user_ip6/],
    ['tcp 10.0.0.1:80', 'cgroup_inet6_connect', /without user_ip4/],
  ])('%s for %s', (words, attachType, message) => {
    expect(() => socketContext(words, contextFor('cgroup_sock_addr', attachType))).toThrow(message);
  });

  test('other contexts have no socket address', () => {
    expect(() => socketContext('tcp 10.0.0.1:80', contextFor('sched_cls'))).toThrow(/programs on sockets/);
    expect(isSocketWords('mark=1')).toBe(false);
  });
});

describe('run on sockets', () => {
  const run = (program: string, context: string) =>
    offkernel('run', ownObject('socket-service'), '-p', program, '--ctx', context);

  test('shows the verdict and the changed address', () => {
    expect(run('connect4', 'tcp 172.16.16.87:80').stdout).toMatch(
      /^connect4: ALLOW .*\n {2}ctx user_ip4 172\.16\.16\.87 -> 10\.0\.1\.60\n {2}ctx user_port 80 -> 8080\n$/,
    );
    expect(run('connect4', 'tcp 172.16.16.87:443').stdout).toMatch(/^connect4: REJECT [^\n]*\n$/);
    expect(run('getpeername4', 'user_ip4=10.0.1.60').stdout).toContain('ctx user_ip4 10.0.1.60 -> 172.16.16.87');
  });

  test('IPv6, and sockets that are bound', () => {
    expect(run('connect6', 'udp [::1]:53').stdout).toContain('connect6: ALLOW');
    expect(run('post_bind4', 'tcp 10.0.0.1:22').stdout).toContain('post_bind4: REJECT');
    expect(run('post_bind4', 'tcp 10.0.0.1:8022').stdout).toContain('post_bind4: ALLOW');
  });

  test('a wrong address is bad usage', () => {
    expect(run('connect4', 'tcp [::1]:80')).toMatchObject({ code: 2, stdout: '' });
  });
});
