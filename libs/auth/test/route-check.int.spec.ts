import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { assertEveryRouteHasPolicy, Authorize, definePolicy, Public } from '../src/index.ts';

const policy = definePolicy('Thing', [{ role: 'operator', can: ['read'] }]);

@Controller('guarded')
class Guarded {
  @Public()
  @Get('open')
  open() {
    return {};
  }

  @Authorize(policy, 'read')
  @Get('closed')
  closed() {
    return {};
  }

  /** No route: events come from the broker, which checks who may publish. */
  @EventPattern<string>('thing.happened')
  onThing() {
    return undefined;
  }
}

@Public()
@Controller('public')
class AllPublic {
  @Get()
  read() {
    return {};
  }
}

@Controller('forgetful')
class Forgetful {
  @Get('one')
  one() {
    return {};
  }
}

@Controller('mistaken')
class Mistaken {
  @Authorize(policy, 'raed')
  @Get('one')
  one() {
    return {};
  }
}

class Child extends Forgetful {}
Controller('child')(Child);

@Module({})
class TestModule {}

async function check(...controllers: (typeof Guarded | typeof AllPublic | typeof Forgetful | typeof Mistaken)[]) {
  const app = await NestFactory.create({ module: TestModule, controllers }, new FastifyAdapter(), { logger: false });
  try {
    assertEveryRouteHasPolicy(app);
  } finally {
    await app.close();
  }
}

it('passes where every route says who may call it', async () => {
  await expect(check(Guarded, AllPublic)).resolves.toBeUndefined();
});

it('stops the start over a route that does not, and names it, inherited ones too', async () => {
  await expect(check(Guarded, Forgetful, Child)).rejects.toThrow(/Forgetful\.one \(one\), Child\.one \(one\)/);
});

it('stops the start over an action that the policy grants nobody', async () => {
  await expect(check(Guarded, Mistaken)).rejects.toThrow(/no rule .*: Mistaken\.one \(one\)$/);
});
