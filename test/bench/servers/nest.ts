/** NestJS on Express with its throttler, cache and JWT modules, the rest as `hand-wired`, each by its README. */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { createKeyv } from '@keyv/redis';
import { ThrottlerStorageRedisService } from '@nest-lab/throttler-storage-redis';
import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  ForbiddenException,
  Get,
  HttpCode,
  HttpException,
  Inject,
  Injectable,
  Module,
  Post,
  Query,
  Req,
  SetMetadata,
  UnauthorizedException,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory, Reflector } from '@nestjs/core';
import { JwtModule, JwtService } from '@nestjs/jwt';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { RedisStore } from 'connect-redis';
import type { NextFunction, Request, Response } from 'express';
import session from 'express-session';
import helmet from 'helmet';
import { Redis } from 'ioredis';
import { pinoHttp } from 'pino-http';
import { collectDefaultMetrics, Counter, Histogram, register } from 'prom-client';
import { EMAIL, LOGIN_AT, ROLES, SECRET, SUBJECT } from './identity.js';
import { KEPT_SECONDS, searchResults } from './search-results.js';

const redisUrl = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';
const redis = new Redis(redisUrl);

interface Claims {
  sub: string;
  jti: string;
  email: string;
  roles: string[];
}

type Signed = Request & { user?: Claims };

@Injectable()
class TokenGuard implements CanActivate {
  constructor(@Inject(JwtService) private readonly jwt: JwtService) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const req = context.switchToHttp().getRequest<Signed>();
    const [scheme, token = ''] = (req.get('Authorization') ?? '').split(' ');
    if (scheme !== 'Bearer') throw new UnauthorizedException();
    try {
      req.user = await this.jwt.verifyAsync<Claims>(token, { algorithms: ['HS256'] });
    } catch {
      throw new UnauthorizedException();
    }
    if (await redis.exists(`revoked:${req.user.jti}`)) throw new UnauthorizedException();
    return true;
  }
}

@Injectable()
class RolesGuard implements CanActivate {
  constructor(@Inject(Reflector) private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const role = this.reflector.get<string>('role', context.getHandler());
    if (context.switchToHttp().getRequest<Signed>().user?.roles.includes(role) !== true) {
      throw new ForbiddenException();
    }
    return true;
  }
}

declare module 'express-session' {
  interface SessionData {
    userId: string;
    loginAt: number;
  }
}

@Controller()
class AppController {
  constructor(@Inject(JwtService) private readonly jwt: JwtService) {}

  @Get('/ping')
  ping(): object {
    return { ok: true, service: 'bench' };
  }

  @Get('/limited')
  @UseGuards(ThrottlerGuard)
  limited(): object {
    return { ok: true, service: 'bench' };
  }

  @Get('/api/v1/search')
  @UseGuards(ThrottlerGuard)
  @UseInterceptors(CacheInterceptor)
  search(@Query('q') query: string): object {
    return searchResults(query);
  }

  @Post('/login')
  @HttpCode(200)
  login(@Req() req: Request): object {
    req.session.userId = SUBJECT;
    req.session.loginAt = LOGIN_AT;
    const claims = { email: EMAIL, roles: ROLES };
    return {
      accessToken: this.jwt.sign(claims, { subject: SUBJECT, jwtid: randomUUID(), expiresIn: '1h' }),
    };
  }

  @Get('/api/v1/me')
  @SetMetadata('role', 'admin')
  @UseGuards(ThrottlerGuard, TokenGuard, RolesGuard)
  me(@Req() req: Signed): object {
    const { sub, email, roles } = req.user ?? { sub: '', email: '', roles: [] };
    return { user: { id: sub, email, roles }, session: { loginAt: req.session.loginAt } };
  }
}

@Catch()
class ErrorFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const req = host.switchToHttp().getRequest<Request>();
    const status = error instanceof HttpException ? error.getStatus() : 500;
    host
      .switchToHttp()
      .getResponse<Response>()
      .status(status)
      .json({
        error: {
          code: status,
          type: status === 404 ? 'not_found' : 'error',
          message: error instanceof HttpException ? error.message : 'Internal Server Error',
          timestamp: new Date().toISOString(),
          path: req.path,
          method: req.method,
          requestId: req.id,
        },
      });
  }
}

@Module({
  imports: [
    CacheModule.register({
      stores: [createKeyv(redisUrl, { namespace: 'nest' })],
      ttl: KEPT_SECONDS * 1_000,
    }),
    JwtModule.register({ secret: SECRET }),
    ThrottlerModule.forRoot({
      throttlers: [{ ttl: 15 * 60 * 1000, limit: 1_000_000_000 }],
      storage: new ThrottlerStorageRedisService(redis),
    }),
  ],
  controllers: [AppController],
})
class AppModule {
  // Nest wants a class, and what it is stands in the decorator.
  readonly name = 'bench';
}

collectDefaultMetrics();
const labelNames = ['method', 'route', 'status'];
const requests = new Counter({ name: 'http_requests_total', help: 'Requests', labelNames });
const durations = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Duration of requests',
  labelNames,
});

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: false });
app.use((req: Request, res: Response, next: NextFunction) => {
  req.id = req.get('X-Request-ID') ?? randomUUID();
  res.set('X-Request-ID', req.id);
  next();
});
app.use(pinoHttp());
app.use((req: Request, res: Response, next: NextFunction) => {
  const end = durations.startTimer();
  res.on('finish', () => {
    const route: unknown = req.route?.path;
    const labels = {
      method: req.method,
      route: typeof route === 'string' ? route : 'unmatched',
      status: res.statusCode,
    };
    requests.inc(labels);
    end(labels);
  });
  next();
});
app.use(helmet());
app.enableCors({ origin: 'https://app.example.com', credentials: true });
app.use('/metrics', async (_req: Request, res: Response) => {
  res.set('Content-Type', register.contentType).send(await register.metrics());
});
const sessions = session({
  store: new RedisStore({ client: redis }),
  secret: SECRET,
  resave: false,
  saveUninitialized: false,
  rolling: true,
  cookie: { maxAge: 24 * 60 * 60 * 1000, sameSite: 'lax' },
});
app.use('/login', sessions);
app.use('/api/v1/me', sessions);
app.useGlobalFilters(new ErrorFilter());

await app.listen(Number(process.env.PORT ?? 0), process.env.HOST ?? '127.0.0.1');
process.stderr.write(`listening on ${await app.getUrl()}\n`);
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
