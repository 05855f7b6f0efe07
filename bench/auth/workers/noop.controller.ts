import { Authorize, definePolicy, Public } from '@cabstand/auth';
import { Controller, Get } from '@nestjs/common';

const noopPolicy = definePolicy<{ id: string }, 'read'>('Noop', [
  { role: 'passenger', can: ['read'] },
  { role: 'operator', can: ['read'] },
]);

/** Routes that do nothing: what stands before them is what they cost. */
@Controller('noop')
export class NoopController {
  @Public()
  @Get('public')
  open() {
    return { ok: true };
  }

  @Authorize(noopPolicy, 'read')
  @Get('private')
  guarded() {
    return { ok: true };
  }
}
