import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { DomainError, KINDS } from '@cabstand/contracts';
import { messagingEntities, messagingMigrations, MessagingModule } from '@cabstand/messaging';
import {
  Catch,
  Controller,
  Get,
  Injectable,
  Logger,
  Module,
  StandardSchemaValidationPipe,
  type ArgumentsHost,
  type DynamicModule,
  type ExceptionFilter,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { DataSource, type EntityManager } from 'typeorm';
import {
  authEntities,
  authMigrations,
  AuthModule,
  Authorize,
  CurrentPrincipal,
  definePolicy,
  KeyRing,
  ownIssuer,
  sessionEntities,
  sessionMigrations,
  SessionsModule,
  type Account,
  type AccountDirectory,
  type AuthOptions,
  type Policy,
  type Principal,
  type SessionOptions,
} from '../src/index.ts';

Logger.overrideLogger(['error', 'fatal']);

export const ISSUER = 'https://passenger.test';
export const keys = {
  keyEncryptionKeys: KeyRing.from(randomBytes(32).toString('base64')),
  refreshTokenKey: randomBytes(32),
};
export const ACCESS_TOKEN_TTL_MS = 60_000;

/** The accounts of an imaginary application. */
@Injectable()
export class Accounts implements AccountDirectory {
  constructor(private readonly dataSource: DataSource) {}

  findByEmail(email: string) {
    return find(this.dataSource.manager, 'email = $1', email);
  }
  findById(tx: EntityManager, id: string) {
    return find(tx, 'id = $1', id);
  }
  lock(tx: EntityManager, id: string) {
    return find(tx, 'id = $1 FOR UPDATE', id);
  }
  async setPasswordHash(tx: EntityManager, id: string, passwordHash: string) {
    await tx.query('UPDATE accounts SET password_hash = $2 WHERE id = $1', [id, passwordHash]);
  }
}

async function find(tx: EntityManager, where: string, value: string): Promise<Account | null> {
  const rows = await tx.query<Account[]>(
    `SELECT id, email, password_hash AS "passwordHash", suspended FROM accounts WHERE ${where}`,
    [value],
  );
  return rows[0] ?? null;
}

const notePolicy: Policy<{ id: string }, 'read' | 'audit'> = definePolicy('Note', [
  { role: 'passenger', can: ['read'] },
  { role: 'driver', can: ['read'] },
  { role: 'operator', can: ['read', 'audit'] },
]);

@Controller('notes')
class NotesController {
  @Authorize(notePolicy, 'read')
  @Get()
  read(@CurrentPrincipal() me: Principal) {
    return me;
  }

  @Authorize(notePolicy, 'audit')
  @Get('audit')
  audit() {
    return {};
  }
}

@Module({ controllers: [NotesController], providers: [Accounts] })
class NotesModule {}

@Catch(DomainError)
class DomainErrorFilter implements ExceptionFilter<DomainError> {
  catch(error: DomainError, host: ArgumentsHost) {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    if (error.retryAfterS) void reply.header('retry-after', error.retryAfterS);
    void reply.status(KINDS[error.kind]).send({ code: error.code });
  }
}

export async function openDatabase(url: string): Promise<DataSource> {
  const dataSource = await new DataSource({
    type: 'postgres',
    url,
    poolSize: 10,
    entities: [...authEntities, ...sessionEntities, ...messagingEntities],
    migrations: [...messagingMigrations, ...authMigrations, ...sessionMigrations],
    migrationsRun: true,
    installExtensions: false,
  }).initialize();
  await dataSource.query(
    'CREATE TABLE IF NOT EXISTS accounts (id uuid PRIMARY KEY, email text UNIQUE, password_hash text, suspended boolean)',
  );
  return dataSource;
}

@Module({})
class TestService {}

export interface StartOptions extends Partial<AuthOptions> {
  dataSource: DataSource;
  amqpUrl: string;
  /** Without it, a service that verifies tokens and issues none. */
  issues?: boolean;
  sessions?: Partial<SessionOptions>;
  imports?: (Type | DynamicModule)[];
}

/** A service of these libraries alone: nothing of Cabstand's own set-up. */
export async function startService({
  dataSource,
  amqpUrl,
  issues = true,
  sessions,
  imports = [],
  ...auth
}: StartOptions) {
  const module: DynamicModule = {
    module: TestService,
    global: true,
    providers: [{ provide: DataSource, useValue: dataSource }],
    exports: [DataSource],
    imports: [
      MessagingModule.forRoot({ service: 'passenger', amqpUrl }),
      AuthModule.forRoot({
        audience: 'passenger',
        trustedIssuers: [ownIssuer(ISSUER, 'passenger')],
        ...auth,
      }),
      ...(issues
        ? [
            SessionsModule.forRoot({
              issuer: ISSUER,
              role: 'passenger',
              audience: ['passenger', 'trip'],
              accessTokenTtlMs: ACCESS_TOKEN_TTL_MS,
              refreshTokenTtlMs: 3_600_000,
              accounts: Accounts,
              ...keys,
              ...sessions,
            }),
          ]
        : []),
      NotesModule,
      ...imports,
    ],
  };
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter({ trustProxy: true }), {
    logger: false,
    abortOnError: false,
  });
  app.useGlobalFilters(new DomainErrorFilter());
  app.useGlobalPipes(new StandardSchemaValidationPipe());
  await app.listen(0, '127.0.0.1');
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  return { app, url };
}

export type TestedService = Awaited<ReturnType<typeof startService>>;
