import { createHash } from 'node:crypto';
import { EVENTS, SERVICES, topologyOf } from '@cabstand/contracts';
import { definitionsOf, passwordHash } from '../rabbitmq/definitions.ts';

const accounts = {
  vhost: 'cabstand',
  admin: { name: 'admin', password: 'admin-secret' },
  nameOf: (service: string) => service,
  passwordOf: (service: string) => `${service}-secret`,
};

describe('the definitions that RabbitMQ loads', () => {
  const definitions = definitionsOf(accounts);

  it('hold the whole topology of the contracts, in the vhost', () => {
    const topology = topologyOf(EVENTS);
    expect(definitions.exchanges.map(({ name }) => name)).toEqual(topology.exchanges.map(({ name }) => name));
    expect(definitions.queues.map(({ name }) => name)).toEqual(topology.queues.map(({ name }) => name));
    expect(definitions.bindings).toHaveLength(topology.bindings.length);
    for (const { vhost } of [...definitions.exchanges, ...definitions.queues, ...definitions.bindings])
      expect(vhost).toBe('cabstand');
  });

  it('make one user for each service, none of them an administrator', () => {
    const services = definitions.users.filter(({ name }) => name !== 'admin');
    expect(services.map(({ name }) => name)).toEqual([...SERVICES]);
    expect(new Set(services.flatMap(({ tags }) => tags))).toEqual(new Set(['management']));
  });

  it('hold no password in clear', () => {
    expect(JSON.stringify(definitions)).not.toContain('-secret');
  });
});

describe('a password hash', () => {
  it("is base64 of the salt and sha256 of salt and password, as RabbitMQ's manual says", () => {
    const salt = Buffer.from('908dc60a', 'hex');
    const digest = createHash('sha256').update(Buffer.from('908dc60a746573743132', 'hex')).digest();
    // The example of https://www.rabbitmq.com/docs/passwords#computing-password-hash
    expect(passwordHash('test12', salt)).toBe('kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR');
    expect(passwordHash('test12', salt)).toBe(Buffer.concat([salt, digest]).toString('base64'));
  });
});
